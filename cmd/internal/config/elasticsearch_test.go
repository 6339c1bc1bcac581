package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestElasticsearch(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "id:key-1\n", "password": "correct horse, battery ß\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const text = `
sinks:
  a:
    type: elasticsearch
    urls: [https://es-1:9200, 'https://proxy.example.com/es/']
    api_key_file: key
    tls: {ca_file: ca.pem, cert_file: sub/cert.pem, key_file: ELSEWHERE/key.pem, server_name: es}
    data_stream: logs-aic.{source}-{tenant}
    pipeline: geo
    format: raw
    setup: {enabled: false}
    timeout: 90s
    max_body: 512KiB
  b:
    type: elasticsearch
    cloud_id: 'name:ZXUuY2xvdWQuZXMuaW8kYWJjJGRlZg=='
    username: u
    password_file: password
    tls: {ca_fingerprint: 'AB:CD`
	elsewhere := certificates(t, dir)
	head, _, _ := strings.Cut(minimal, "\nsinks:")
	fingerprint := strings.Repeat(":ab", 30)
	cfg, err := parse(filepath.Join(dir, "x.yaml"), []byte(head+strings.Replace(text, "ELSEWHERE", elsewhere, 1)+fingerprint+"'}\n    index: aic-{tenant}-{yyyy}.{MM}.{dd}\n"+`
  c: {type: elasticsearch, urls: [http://es:9200, http://localhost:9200], index: aic}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &ElasticsearchSink{
		URLs:   []string{"https://es-1:9200", "https://proxy.example.com/es/"},
		APIKey: NewSecret("id:key-1"), APIKeyFile: "key",
		TLS:        ElasticsearchTLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "sub/cert.pem"), KeyFile: filepath.Join(elsewhere, "key.pem"), ServerName: "es"},
		DataStream: "logs-aic.{source}-{tenant}", Pipeline: "geo", Format: "raw", Timeout: 90 * time.Second, MaxBody: 512 << 10,
	}
	if diff := cmp.Diff(want, cfg.Sinks["a"].Elasticsearch); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want = &ElasticsearchSink{
		CloudID: "name:ZXUuY2xvdWQuZXMuaW8kYWJjJGRlZg==", Username: "u", Password: NewSecret("correct horse, battery ß"), PasswordFile: "password",
		TLS: ElasticsearchTLS{CAFingerprint: "AB:CD" + fingerprint}, Index: "aic-{tenant}-{yyyy}.{MM}.{dd}", Format: "raw",
		Setup: ElasticsearchSetup{Enabled: true}, Timeout: time.Minute, MaxBody: 8 << 20,
	}
	if diff := cmp.Diff(want, cfg.Sinks["b"].Elasticsearch); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var keys []string
	for _, w := range cfg.Warnings {
		keys = append(keys, w.Key)
	}
	if diff := cmp.Diff([]string{"sinks.a.setup", "sinks.c.urls[0]"}, keys); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
}
