package hectest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

const (
	channelHeader = "X-Splunk-Request-Channel"
	// maxInflated keeps a compressed body from filling the memory.
	maxInflated = 256 << 20
)

// refusal is an answer with a code other than 0.
type refusal struct {
	status, code int
	text         string
	// event is the number of the bad event, -1 for none.
	event int
}

func refuse(code int) *refusal {
	texts := map[int]refusal{
		1:  {status: http.StatusForbidden, text: "Token disabled"},
		2:  {status: http.StatusUnauthorized, text: "Token is required"},
		3:  {status: http.StatusUnauthorized, text: "Invalid authorization"},
		4:  {status: http.StatusForbidden, text: "Invalid token"},
		5:  {status: http.StatusBadRequest, text: "No data"},
		6:  {status: http.StatusBadRequest, text: "Invalid data format"},
		7:  {status: http.StatusBadRequest, text: "Incorrect index"},
		10: {status: http.StatusBadRequest, text: "Data channel is missing"},
		11: {status: http.StatusBadRequest, text: "Invalid data channel"},
		12: {status: http.StatusBadRequest, text: "Event field is required"},
		13: {status: http.StatusBadRequest, text: "Event field cannot be blank"},
		14: {status: http.StatusBadRequest, text: "ACK is disabled"},
		15: {status: http.StatusBadRequest, text: "Error in handling indexed fields"},
	}
	r := texts[code]
	r.code, r.event = code, -1
	return &r
}

func (r *refusal) write(w http.ResponseWriter) {
	number := ""
	if r.event >= 0 {
		number = fmt.Sprintf(`,"invalid-event-number":%d`, r.event)
	}
	reply(w, r.status, fmt.Sprintf(`{"text":%q,"code":%d%s}`, r.text, r.code, number))
}

// collection is how one request with events is handled.
type collection struct {
	Options
	fault *Fault
}

// collect takes events.
func (s *Server) collect(w http.ResponseWriter, r *http.Request, c collection) {
	noted := Request{Method: r.Method, Path: r.URL.Path, Channel: r.Header.Get(channelHeader)}
	if r.Method != http.MethodPost {
		s.note(noted)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if c.MaxContentLength > 0 && r.ContentLength > c.MaxContentLength && c.authorize(r) == nil {
		s.note(noted)
		http.Error(w, fmt.Sprintf("Content-Length of %d too large (maximum is %d)", r.ContentLength, c.MaxContentLength),
			http.StatusRequestEntityTooLarge)
		return
	}
	body, bad := c.admit(r, &noted)
	if bad != nil {
		s.note(noted)
		bad.write(w)
		return
	}
	events, bad := c.parse(body)
	noted.Events = len(events)
	s.note(noted)
	s.finish(w, r, result{collection: c, events: events, bad: bad})
}

// admit checks everything but the events and returns the body.
func (c collection) admit(r *http.Request, noted *Request) ([]byte, *refusal) {
	if bad := c.authorize(r); bad != nil {
		return nil, bad
	}
	body, wire, bad := read(r)
	noted.Bytes, noted.Wire = len(body), wire
	switch {
	case bad != nil:
		return nil, bad
	case len(bytes.TrimSpace(body)) == 0:
		return nil, refuse(5)
	case c.Acknowledge:
		return body, checkChannel(r)
	}
	return body, nil
}

// result is what came of a request's events.
type result struct {
	collection
	events []Event
	bad    *refusal
}

// finish indexes and answers.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, res result) {
	f := res.fault
	if f != nil && (f.Index || f.IndexFirst > 0) {
		n := len(res.events)
		if f.IndexFirst > 0 {
			n = min(n, f.IndexFirst)
		}
		s.index(res.events[:n])
		f.answer(w)
		return
	}
	if res.bad != nil {
		if !res.DropBatch {
			s.index(res.events)
		}
		res.bad.write(w)
		return
	}
	lost := f != nil && f.Lose
	if !lost {
		s.index(res.events)
	}
	if !res.Acknowledge {
		reply(w, http.StatusOK, `{"text":"Success","code":0}`)
		return
	}
	reply(w, http.StatusOK, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, s.promise(w, r, lost)))
}

func (s *Server) index(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
}

// authorize checks the token.
func (o Options) authorize(r *http.Request) *refusal {
	header := r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(header, "Splunk ")
	switch {
	case header == "":
		return refuse(2)
	case !ok:
		return refuse(3)
	case token != o.Token:
		return refuse(4)
	case o.Disabled:
		return refuse(1)
	}
	return nil
}

// read returns the body and its length as sent.
func read(r *http.Request) (body []byte, wire int, bad *refusal) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, len(sent), refuse(6)
	}
	switch r.Header.Get("Content-Encoding") {
	case "":
		return sent, len(sent), nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(sent))
		if err != nil {
			return nil, len(sent), refuse(6)
		}
		if body, err = io.ReadAll(io.LimitReader(z, maxInflated)); err != nil {
			return nil, len(sent), refuse(6)
		}
		return body, len(sent), nil
	}
	return nil, len(sent), &refusal{status: http.StatusUnsupportedMediaType, text: "Unsupported encoding", code: 6, event: -1}
}

// parse reads concatenated JSON objects up to the first bad one.
func (o Options) parse(body []byte) (events []Event, bad *refusal) {
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		var object map[string]json.RawMessage
		err := dec.Decode(&object)
		if err == io.EOF {
			return events, nil
		}
		var e Event
		if err != nil || object == nil {
			bad = refuse(6)
		} else {
			bad = o.event(object, &e)
		}
		if bad != nil {
			bad.event = len(events)
			if bad.code == 7 {
				bad.event++ // Splunk has gone on to the next one by then
			}
			return events, bad
		}
		events = append(events, e)
	}
}

// event reads one event.
func (o Options) event(object map[string]json.RawMessage, e *Event) *refusal {
	raw, there := object["event"]
	switch {
	case !there || string(raw) == "null":
		return refuse(12)
	case string(raw) == `""`:
		return refuse(13)
	}
	e.Raw = raw
	if at, there := object["time"]; there {
		e.Time = strings.Trim(string(at), `"`)
		if _, err := strconv.ParseFloat(e.Time, 64); err != nil {
			return refuse(6)
		}
	}
	for key, out := range map[string]*string{
		"host": &e.Host, "source": &e.Source, "sourcetype": &e.Sourcetype, "index": &e.Index,
	} {
		if value, there := object[key]; there && json.Unmarshal(value, out) != nil {
			return refuse(6)
		}
	}
	if len(o.Indexes) > 0 && e.Index != "" && !slices.Contains(o.Indexes, e.Index) {
		return refuse(7)
	}
	if o.Unreadable != nil && o.Unreadable(*e) {
		return refuse(6)
	}
	return fields(object["fields"], e)
}

// fields reads the indexed fields: a flat object of texts, numbers and booleans.
func fields(raw json.RawMessage, e *Event) *refusal {
	if raw == nil {
		return nil
	}
	var values map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&values) != nil || values == nil {
		return refuse(15)
	}
	e.Fields = make(map[string]string, len(values))
	for name, value := range values {
		switch v := value.(type) {
		case string:
			e.Fields[name] = v
		case json.Number, bool:
			e.Fields[name] = fmt.Sprint(v)
		default:
			return refuse(15)
		}
	}
	return nil
}
