package splunkhec

import (
	"strconv"
	"time"
	"unicode/utf8"

	"aictail"
)

// maxRoutes bounds the memory for prepared metadata: far more than tenants times
// sources, at some 200 bytes each.
const maxRoutes = 4096

// encoder turns events into the JSON objects of HEC by appending bytes: an
// event's Raw is copied, never decoded.
type encoder struct {
	host, source, sourcetype, index template
	hasIndex                        bool
	routes                          map[routeKey]route
}

type routeKey struct{ tenant, source string }

// route is what all events of a tenant's source have in common.
type route struct {
	before []byte // between the time and the event
	after  []byte // behind the id
}

func newEncoder(cfg Config) (encoder, error) {
	e := encoder{hasIndex: cfg.Index != "", routes: make(map[routeKey]route)}
	for _, f := range []struct {
		key, text, otherwise string
		out                  *template
	}{
		// What people search by: the environment is the host, the log the source,
		// and the sourcetype names the one format that all of them share.
		{"host", cfg.Host, "{tenant}", &e.host},
		{"source", cfg.Source, "{source}", &e.source},
		{"sourcetype", cfg.Sourcetype, "pingone:aic", &e.sourcetype},
		{"index", cfg.Index, "", &e.index},
	} {
		if f.text == "" {
			f.text = f.otherwise
		}
		var err error
		if *f.out, err = parseTemplate(f.key, f.text); err != nil {
			return encoder{}, err
		}
	}
	return e, nil
}

// append appends one event.
func (e *encoder) append(b []byte, event *aictail.Event) []byte {
	r := e.route(event)
	b = append(b, '{')
	if !event.Time.IsZero() {
		// Without one Splunk takes the time of arrival.
		b = append(b, `"time":`...)
		b = appendTime(b, event.Time)
		b = append(b, ',')
	}
	b = append(b, r.before...)
	b = append(b, event.Raw...)
	b = append(b, `,"fields":{"id":`...)
	b = appendText(b, event.ID)
	return append(b, r.after...)
}

func (e *encoder) route(event *aictail.Event) route {
	key := routeKey{event.Tenant, event.Source}
	r, ok := e.routes[key]
	if ok {
		return r
	}
	if len(e.routes) == maxRoutes {
		clear(e.routes)
	}
	b := []byte(`"host":`)
	b = appendText(b, e.host.expand(key.tenant, key.source))
	b = append(b, `,"source":`...)
	b = appendText(b, e.source.expand(key.tenant, key.source))
	b = append(b, `,"sourcetype":`...)
	b = appendText(b, e.sourcetype.expand(key.tenant, key.source))
	if e.hasIndex {
		b = append(b, `,"index":`...)
		b = appendText(b, indexName(e.index.expand(key.tenant, key.source)))
	}
	b = append(b, `,"event":`...)
	r = route{before: b, after: appendText([]byte(`,"tenant":`), orUnknown(key.tenant))}
	r.after = append(r.after, "}}"...)
	e.routes[key] = r
	return r
}

// appendTime appends a time as seconds since 1970 with all of its nanoseconds. A
// float64 would keep less than microseconds.
func appendTime(b []byte, t time.Time) []byte {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	if seconds < 0 && nanos > 0 {
		// -1.25 is 750 ms after -2.
		seconds, nanos = seconds+1, int64(time.Second)-nanos
		if seconds == 0 {
			b = append(b, '-')
		}
	}
	b = strconv.AppendInt(b, seconds, 10)
	if nanos == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(time.Second) / 10; unit > 0; unit /= 10 {
		b = append(b, byte('0'+nanos/unit%10))
	}
	return b
}

// appendText appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendText[T []byte | string](b []byte, text T) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			// The conversion is of a few bytes and does not leave the stack.
			r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
