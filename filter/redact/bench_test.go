package redact

import (
	"fmt"
	"strings"
	"testing"

	"aictail"
)

// Events after the model of real ones, without anything to find.
func auditEvent(n int) string {
	return fmt.Sprintf(`{"payload":{"_id":"5c1d9e0a-71b2-4b0e-9a53-0f6e2d4c8b71-%d","client":{"ip":"203.0.113.9","port":51234},"component":"OAuth","eventName":"AM-ACCESS-OUTCOME","http":{"request":{"headers":{"accept":["application/json, text/plain, */*"],"content-type":["application/x-www-form-urlencoded"],"host":["tenant.example.forgeblocks.com"],"user-agent":["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/105.0.0.0 Safari/537.36"],"x-forwarded-for":["203.0.113.7, 198.51.100.150, 10.0.0.13"]},"method":"POST","path":"https://tenant.example.forgeblocks.com/am/oauth2/access_token","secure":true}},"level":"INFO","realm":"/alpha","request":{"detail":{"grant_type":"client_credentials","scope":"fr:idm:*"}},"response":{"elapsedTime":42,"elapsedTimeUnits":"MILLISECONDS","status":"SUCCESSFUL","statusCode":"200"},"source":"audit","timestamp":"2024-03-05T18:21:48.248Z","topic":"access","trackingIds":["5c1d9e0a-71b2-4b0e-9a53-0f6e2d4c8b71-%d"],"transactionId":"1709662908247-9f138d8fc9f59d23164c-26466/0","userId":"id=0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71,ou=user,o=alpha,ou=services,ou=am-config"},"timestamp":"2024-03-05T18:21:48.249782137Z","type":"application/json","source":"am-access"}`, n, n)
}

func stackEvent() string {
	var b strings.Builder
	b.WriteString(`{"payload":{"context":"default","exception":"java.io.IOException: Enclosing message doesn't have the application/x-www-form-urlencoded Content-Type header`)
	for i := range 65 {
		fmt.Fprintf(&b, `\n\tat org.example.catalina.core.ApplicationFilterChain$Step%d.internalDoFilter(ApplicationFilterChain.java:%d)`, i%3, 100+i)
	}
	b.WriteString(`\n","level":"DEBUG","logger":"org.example.http.ApiDescriptorFilter","mdc":{"transactionId":"b0e4e1ec-7f83-442d-8646-b6bdfd95e705-1060562"},"message":"Failed to read form data","thread":"http-nio-8080-exec-3","timestamp":"2024-03-05T19:29:22.365Z","transactionId":"b0e4e1ec-7f83-442d-8646-b6bdfd95e705-1060562"},"timestamp":"2024-03-05T19:29:22.366098652Z","type":"application/json","source":"am-core"}`)
	return b.String()
}

func hitEvent() string {
	return strings.Replace(auditEvent(1), "id=0a1b2c3d-71b2-4b0e-9a53-0f6e2d4c8b71", "id=bob@example.com", 1)
}

// mix is what a busy tenant sends: mostly audit events, some debug with traces.
func mix() [][]byte {
	var events [][]byte
	for i := range 18 {
		events = append(events, []byte(auditEvent(256000+i)))
	}
	return append(events, []byte(stackEvent()), []byte(stackEvent()))
}

// BenchmarkPreset shows what each preset costs of a core, over what a busy tenant sends.
func BenchmarkPreset(b *testing.B) {
	for _, preset := range []string{PresetSecrets, PresetDefault, PresetGDPR} {
		b.Run(preset, func(b *testing.B) { benchmark(b, newSet(b, Rule{Preset: preset}), mix()) })
	}
	b.Run("default-and-own", func(b *testing.B) {
		benchmark(b, newSet(b,
			Rule{Fields: []string{"/payload/userId", "/payload/principal/*"}, Action: "hash"},
			Rule{Detect: []string{"ip"}, Fields: []string{"/payload/client/ip"}, Action: "truncate"},
			Rule{Keys: []string{"employeeNumber"}},
			Rule{Pattern: `CUST-(\d{8})`}), mix())
	})
}

// BenchmarkAppend shows the default preset on single kinds of events.
func BenchmarkAppend(b *testing.B) {
	set := newSet(b)
	for name, events := range map[string][][]byte{
		"audit": {[]byte(auditEvent(1))}, "stack": {[]byte(stackEvent())}, "audit-hit": {[]byte(hitEvent())},
	} {
		b.Run(name, func(b *testing.B) { benchmark(b, set, events) })
	}
	b.Run("samples", func(b *testing.B) { benchmark(b, set, sampleLines(b)) })
}

func benchmark(b *testing.B, set *Set, events [][]byte) {
	b.Helper()
	r := set.NewRedactor()
	size := 0
	for _, e := range events {
		size += len(e)
	}
	buf := make([]byte, 0, 64<<10)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range events {
			if _, _, err := r.Append(buf, e, aictail.Span{}, "am-access"); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestNoAllocation: an event that no rule touches costs no allocation; neither
// does any other once the scratch memory has grown.
func TestNoAllocation(t *testing.T) {
	sets := map[string]*Set{"default": newSet(t), "gdpr": newSet(t, Rule{Preset: PresetGDPR}), "own": newSet(t,
		Rule{Fields: []string{"/payload/userId"}, Action: "tokenise"}, Rule{Detect: []string{"email", "ip"}, Action: "hash"}, Rule{Keys: []string{"scope"}}, Rule{Pattern: `CUST-(\d{8})`})}
	buf := make([]byte, 0, 64<<10)
	nested := `{"payload":{"body":` + quoted(t, `{"body":`+quoted(t, `{"level":"x","tokens_left":1,"component":"y","operation":2022-12-05}`)+`}`) + `}}`
	for name, event := range map[string]string{
		"audit": auditEvent(1), "stack": stackEvent(), "nested": nested, "hit": hitEvent(),
		"secret in json in json": strings.ReplaceAll(nested, "component", "password"),
	} {
		raw := []byte(event)
		for preset, set := range sets {
			r := set.NewRedactor()
			if n := testing.AllocsPerRun(100, func() {
				if _, _, err := r.Append(buf, raw, aictail.Span{}, "am-access"); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s, %s: %v allocations", preset, name, n)
			}
		}
	}
}
