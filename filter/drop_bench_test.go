package filter

import (
	"fmt"
	"testing"

	"aictail"
)

// Events of 750 bytes after the model of real ones, without anything to redact.
func auditOf(source, path string, n int) aictail.Event {
	return eventOf(fmt.Sprintf(`{"payload":{"_id":"5c1d9e0a-71b2-4b0e-9a53-0f6e2d4c8b71-%d","client":{"ip":"203.0.113.9","port":51234},"component":"OAuth","eventName":"AM-ACCESS-OUTCOME","http":{"request":{"headers":{"accept":["application/json, text/plain, */*"],"content-type":["application/x-www-form-urlencoded"],"host":["tenant.example.forgeblocks.com"]},"method":"POST","path":%q,"secure":true}},"level":"INFO","realm":"/alpha","response":{"elapsedTime":42,"elapsedTimeUnits":"MILLISECONDS","status":"SUCCESSFUL","statusCode":"200"},"timestamp":"2024-03-05T18:21:48.248Z","topic":"access","trackingIds":["5c1d9e0a-71b2-4b0e-9a53-0f6e2d4c8b71-%d"],"transactionId":"1709662908247-9f138d8fc9f59d23164c-26466/0"},"timestamp":"2024-03-05T18:21:48.249782137Z","type":"application/json","source":%q}`, n, path, n, source))
}

func debugOf(logger string, n int) aictail.Event {
	return eventOf(fmt.Sprintf(`{"payload":{"context":"default","level":"DEBUG","logger":%q,"mdc":{"transactionId":"b0e4e1ec-7f83-442d-8646-b6bdfd95e705-1060562"},"message":"Connection attempt failed: availableConnections=0, maxPoolSize=%d, and what else the product has to say of the state that it is in, in a sentence or two that nobody has ever read: the pool was asked for a connection, had none, opened another one, found that the limit had been reached in the meantime, closed it again, waited for the time that its configuration says, looked once more, found one that had been given back by somebody else, and went on as though nothing had happened","thread":"http-nio-8080-exec-3","timestamp":"2024-03-05T19:29:22.365Z","transactionId":null},"timestamp":"2024-03-05T19:29:22.366098652Z","type":"application/json","source":"am-core"}`, logger, n))
}

// mixed is what a busy tenant sends, in which the rules of chainOfFive find a few.
func mixed() []aictail.Event {
	var events []aictail.Event
	for i := range 1000 {
		switch i % 10 {
		case 0:
			events = append(events, auditOf("idm-access", "http://idm/openidm/info/ping", i))
		case 1, 2:
			events = append(events, auditOf("idm-access", "http://idm/openidm/managed/alpha_user", i))
		case 3, 4:
			events = append(events, debugOf("org.forgerock.openam.core.rest.devices.DeviceDao", i))
		default:
			events = append(events, auditOf("am-access", "https://tenant.example.forgeblocks.com/am/oauth2/access_token", i))
		}
	}
	return events
}

// chainOfFive is five rules as people write them, and the default noise.
func chainOfFive() Config {
	return Config{
		Drop: []DropRule{
			{When: `/source eq "idm-access" and /payload/http/request/path co "/openidm/info/ping"`},
			{When: `/payload/component eq "Health" or /payload/http/request/path sw "/health"`},
			{When: `/source eq "am-access" and /payload/response/elapsedTime lt 2 and /payload/response/statusCode eq "200"`},
			{When: `/payload/logger sw "com.example.internal." and !(/payload/level eq "ERROR")`},
			{When: `/payload/userId eq "anonymous" and /payload/http/request/headers/host eq "idm"`},
		},
		Noise: []string{"default"},
	}
}

// BenchmarkChain measures what dropping costs beside redaction, in one run.
func BenchmarkChain(b *testing.B) {
	five := chainOfFive()
	withOff := func(c Config) Config { c.Redact = preset("off"); return c }
	for _, c := range []struct {
		name   string
		config Config
	}{
		{"redact", Config{}},
		{"drop5+noise", withOff(five)},
		{"drop5+noise+redact", five},
		{"drop1-source-only", withOff(Config{Drop: []DropRule{{When: `/source eq "ws-activity"`}}})},
		{"drop1-ping", withOff(Config{Drop: five.Drop[:1]})},
		{"drop1-payload", withOff(Config{Drop: five.Drop[1:2]})},
		{"noise", withOff(Config{Noise: five.Noise})},
		{"levels", withOff(Config{Levels: map[string]string{"am-core": "INFO"}})},
		{"sample", withOff(Config{Sample: []SampleRule{{When: `/source eq "am-access"`, Keep: 0.5}}})},
	} {
		b.Run(c.name, func(b *testing.B) {
			pass := newPass(b, c.config, nil)
			events, size := mixed(), 0
			for i := range events {
				size += len(events[i].Raw)
			}
			work := make([]aictail.Event, len(events))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(work, events)
				pass.Apply(work)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
		})
	}
}
