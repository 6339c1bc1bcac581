package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	chart = "kubernetes/aictail"
	// What "go install" makes of helm takes an ancient cluster for granted.
	newestCluster = "1.37.0"
)

// object is a part of a Kubernetes object.
type object = map[string]any

// render returns what helm makes of the chart with the values of a file in ci/, and
// further arguments.
func render(t *testing.T, values string, args ...string) []byte {
	t.Helper()
	return template(t, append([]string{"--values", filepath.Join(chart, "ci", values+"-values.yaml")}, args...)...)
}

// template returns what helm makes of the chart with these arguments.
func template(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(need(t, "helm"), append([]string{"template", "test", chart, "--kube-version", newestCluster}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("helm: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	return out
}

// objects returns the rendered objects by kind; there is one of each, but for claims,
// which are by kind and volume.
func objects(t *testing.T, manifests []byte) map[string]object {
	t.Helper()
	byKind := map[string]object{}
	for d := yaml.NewDecoder(bytes.NewReader(manifests)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return byKind
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _ := o["kind"].(string)
		if kind == "PersistentVolumeClaim" {
			name, _ := at(o, "metadata.name").(string)
			kind += name[strings.LastIndex(name, "-"):]
		}
		if byKind[kind] != nil {
			t.Errorf("two objects of kind %s", kind)
		}
		byKind[kind] = o
	}
}

// at follows a path of keys; [0] is the first of a list.
func at(o any, path string) any {
	for _, key := range strings.Split(path, ".") {
		key, first := strings.CutSuffix(key, "[0]")
		m, _ := o.(object)
		o = m[key]
		if list, _ := o.([]any); first {
			if len(list) == 0 {
				return nil
			}
			o = list[0]
		}
	}
	return o
}

func TestChartLint(t *testing.T) {
	helm := need(t, "helm")
	for _, values := range []string{"minimal", "full"} {
		output(t, exec.Command(helm, "lint", "--strict", "--kube-version", newestCluster, chart, "--values", filepath.Join(chart, "ci", values+"-values.yaml")))
	}
}

// TestChartSchemas checks the objects strictly by the schemas of the oldest release
// that the chart is for and of the newest.
func TestChartSchemas(t *testing.T) {
	validate := need(t, "kubernetes-validate")
	for _, values := range []string{"minimal", "full"} {
		file := filepath.Join(t.TempDir(), values+".yaml")
		write(t, file, string(render(t, values)))
		for _, release := range []string{"1.27", "1.37"} {
			out := output(t, exec.Command(validate, "--strict", "--kubernetes-version", release, file))
			if n := strings.Count(out, "passed for resource"); n < 4 {
				t.Errorf("%s, %s: only %d objects checked:\n%s", values, release, n, out)
			}
		}
	}
}

// TestChartConfig: the daemon accepts the configuration that the chart makes.
func TestChartConfig(t *testing.T) {
	aictail := program(t)
	for _, values := range []string{"minimal", "full"} {
		t.Run(values, func(t *testing.T) {
			config, ok := at(objects(t, render(t, values))["ConfigMap"], "data").(object)["aictail.yaml"].(string)
			if !ok {
				t.Fatal("no aictail.yaml in the ConfigMap")
			}
			file := filepath.Join(t.TempDir(), "aictail.yaml")
			write(t, file, config)
			validate := exec.Command(aictail, "validate", "--config", file)
			validate.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+credentials(t), "AIC_API_KEY=key", "AIC_API_SECRET=secret")
			output(t, validate)
			for _, own := range []string{"data_dir: /var/lib/aictail\n", "listen: 0.0.0.0:9464\n"} {
				if !strings.Contains(config, own) {
					t.Errorf("not in the configuration: %s", own)
				}
			}
		})
	}
}

// TestChartPod holds the pod to what it promises: one writer, no rights, time to stop.
func TestChartPod(t *testing.T) {
	set := objects(t, render(t, "minimal"))["StatefulSet"]
	tests := []struct {
		path string
		want any
	}{
		{"spec.replicas", 1},
		{"spec.podManagementPolicy", "Parallel"},
		{"spec.updateStrategy.type", "RollingUpdate"},
		{"spec.template.spec.terminationGracePeriodSeconds", 45},
		{"spec.template.spec.automountServiceAccountToken", false},
		{"spec.template.spec.enableServiceLinks", false},
		{"spec.template.spec.securityContext.runAsNonRoot", true},
		{"spec.template.spec.securityContext.runAsUser", 65532},
		{"spec.template.spec.securityContext.fsGroup", 65532},
		{"spec.template.spec.securityContext.seccompProfile.type", "RuntimeDefault"},
		{"spec.template.spec.containers[0].image", "aictail:0.1.0"},
		{"spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation", false},
		{"spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem", true},
		{"spec.template.spec.containers[0].securityContext.capabilities.drop[0]", "ALL"},
		{"spec.template.spec.containers[0].startupProbe.httpGet.path", "/healthz"},
		{"spec.template.spec.containers[0].livenessProbe.httpGet.path", "/healthz"},
		{"spec.template.spec.containers[0].readinessProbe.httpGet.path", "/readyz"},
		{"spec.template.spec.containers[0].resources.limits.memory", "256Mi"},
		// Nobody could change them.
		{"spec.volumeClaimTemplates", nil},
	}
	for _, tt := range tests {
		if got := at(set, tt.path); got != tt.want {
			t.Errorf("%s is %v, want %v", tt.path, got, tt.want)
		}
	}
	// A changed configuration makes another pod.
	other := objects(t, render(t, "minimal", "--set", "config.log.level=debug"))["StatefulSet"]
	const sum = "spec.template.metadata.annotations"
	if a, b := at(set, sum).(object)["checksum/config"], at(other, sum).(object)["checksum/config"]; a == nil || a == b {
		t.Errorf("checksums of two configurations: %v, %v", a, b)
	}
	longer := objects(t, render(t, "minimal", "--set", "shutdownTimeoutSeconds=60"))
	if got := at(longer["StatefulSet"], "spec.template.spec.terminationGracePeriodSeconds"); got != 75 {
		t.Errorf("with a shutdown of 60 s the pod gets %v", got)
	}
}

// TestChartClaims: what may hold undelivered events outlives the release.
func TestChartClaims(t *testing.T) {
	minimal := objects(t, render(t, "minimal"))
	for _, volume := range []string{"state", "events"} {
		claim := minimal["PersistentVolumeClaim-"+volume]
		if got := at(claim, "metadata.annotations").(object)["helm.sh/resource-policy"]; got != "keep" {
			t.Errorf("%s: the policy is %v", volume, got)
		}
		if claim := fmt.Sprint(at(claim, "metadata.name")); !strings.Contains(string(render(t, "minimal")), "claimName: "+claim+"}") {
			t.Errorf("the pod does not mount %s", claim)
		}
	}
	full := objects(t, render(t, "full"))
	if got := at(full["PersistentVolumeClaim-state"], "spec.storageClassName"); got != "fast" {
		t.Errorf("the class is %v", got)
	}
	if got := at(full["PersistentVolumeClaim-events"], "spec.resources.requests.storage"); got != "100Gi" {
		t.Errorf("the size is %v", got)
	}
	if without := objects(t, render(t, "minimal", "--set", "events.enabled=false")); without["PersistentVolumeClaim-events"] != nil {
		t.Error("a claim for events that nobody wants")
	}
}

// TestChartSecureAdmin: with a web configuration the program asks itself for its health.
func TestChartSecureAdmin(t *testing.T) {
	with := []string{"--set", "config.admin.web_config_file=/run/secrets/aictail/web.yaml", "--set", "podMonitor.enabled=true", "--set", "podMonitor.endpoint.scheme=HTTPS"}
	all := objects(t, render(t, "minimal", with...))
	for probe, want := range map[string]string{
		"startupProbe":   "/usr/bin/aictail health --config /etc/aictail/aictail.yaml",
		"livenessProbe":  "/usr/bin/aictail health --config /etc/aictail/aictail.yaml",
		"readinessProbe": "/usr/bin/aictail health --config /etc/aictail/aictail.yaml --ready",
	} {
		container := "spec.template.spec.containers[0]." + probe
		command, _ := at(all["StatefulSet"], container+".exec.command").([]any)
		if got := strings.Trim(fmt.Sprint(command), "[]"); got != want || at(all["StatefulSet"], container+".httpGet") != nil || at(all["StatefulSet"], container+".periodSeconds") == nil {
			t.Errorf("%s: %v, want %s", probe, at(all["StatefulSet"], container), want)
		}
	}
	if got := at(all["PodMonitor"], "spec.podMetricsEndpoints[0].scheme"); got != "HTTPS" {
		t.Errorf("Prometheus scrapes by %v", got)
	}
	config := at(all["ConfigMap"], "data").(object)["aictail.yaml"].(string)
	for _, line := range []string{"listen: 0.0.0.0:9464\n", "web_config_file: /run/secrets/aictail/web.yaml\n"} {
		if !strings.Contains(config, line) {
			t.Errorf("not in the configuration: %s", line)
		}
	}
}

// TestChartOptions: what is off is not there, what is on is.
func TestChartOptions(t *testing.T) {
	minimal, full := objects(t, render(t, "minimal")), objects(t, render(t, "full"))
	for _, kind := range []string{"PodMonitor", "PrometheusRule", "NetworkPolicy", "Secret"} {
		if minimal[kind] != nil {
			t.Errorf("%s is there unasked", kind)
		}
		if full[kind] == nil {
			t.Errorf("%s is missing", kind)
		}
	}
	if got := at(minimal["StatefulSet"], "spec.template.spec.volumes").([]any)[3].(object)["secret"].(object)["secretName"]; got != "aic-log-api-key" {
		t.Errorf("the pod reads secret %v", got)
	}
	if got := at(full["PodMonitor"], "spec.podMetricsEndpoints[0].path"); got != "/metrics" {
		t.Errorf("Prometheus scrapes %v", got)
	}
	if got := at(full["StatefulSet"], "spec.template.spec.containers").([]any); len(got) != 2 || at(got[1], "name") != "shipper" {
		t.Errorf("containers are %v", got)
	}
	egress := string(render(t, "full", "--show-only", "templates/networkpolicy.yaml"))
	for _, port := range []string{"port: 53}", "port: 443}", "port: 9092"} {
		if !strings.Contains(egress, port) {
			t.Errorf("the policy does not let out %s", port)
		}
	}
}

// TestChartRefuses: values that would expose a secret or lose the single writer.
func TestChartRefuses(t *testing.T) {
	helm := need(t, "helm")
	tests := []struct{ name, set, says string }{
		{"no tenant", "config.tenants=null", "/config"},
		{"a key in the ConfigMap", "config.tenants.prod.api_key=0123456789", "config.tenants.prod.api_key: a ConfigMap is no place"},
		{"a token in the ConfigMap", "config.sinks.archive.token=0123456789", "config.sinks.archive.token: a ConfigMap is no place"},
		{"a password in the ConfigMap", "config.sinks.archive.sasl.password=0123456789", "config.sinks.archive.sasl.password: "},
		{"two writers", "replicas=2", "'replicas' not allowed"},
		{"shared state", "persistence.accessModes={ReadWriteMany}", "/persistence/accessModes"},
		{"another data_dir", "config.data_dir=/tmp", "config.data_dir: remove it"},
		{"a shutdown longer than the pod's", "config.shutdown_timeout=5m", "config.shutdown_timeout: set shutdownTimeoutSeconds instead"},
		{"another address", "config.admin.listen=:1", "config.admin.listen: remove it"},
		{"another path for Prometheus", "podMonitor.endpoint.path=/x", "podMonitor.endpoint.path: remove it"},
		{"a misspelt key", "persistance.size=1Gi", "'persistance' not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(helm, "template", "test", chart, "--kube-version", newestCluster,
				"--values", filepath.Join(chart, "ci/minimal-values.yaml"), "--set", tt.set)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.says) {
				t.Errorf("err %v, want one with %q in:\n%s", err, tt.says, out)
			}
			if strings.Contains(string(out), "0123456789") {
				t.Errorf("the secret is shown:\n%s", out)
			}
		})
	}
}

// TestChartFits: schema, values and image agree on what there is.
func TestChartFits(t *testing.T) {
	var values, schema object
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(chart, "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(chart, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	known := at(schema, "properties").(object)
	for key := range values {
		if known[key] == nil {
			t.Errorf("values.yaml has %s, the schema has not", key)
		}
	}
	for key := range known {
		if _, ok := values[key]; !ok && key != "global" {
			t.Errorf("the schema has %s, values.yaml has not", key)
		}
	}
	user := regexp.MustCompile(`(?m)^USER (\d+):`).FindStringSubmatch(read(t, "../Dockerfile"))
	if user == nil || !strings.Contains(read(t, filepath.Join(chart, "values.yaml")), "runAsUser: "+user[1]) {
		t.Errorf("the chart does not run as the image's user %v", user)
	}
}
