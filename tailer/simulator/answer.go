package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	kgzip "github.com/klauspost/compress/gzip"
)

// answer is a 200 in the form of a page.
type answer struct {
	names   []byte   // the result array of the source list, as JSON
	entries []*entry // the result of the others
	count   int
	cookie  string // "": null
	// noCookie leaves the cookie out.
	noCookie bool
	// countAsText writes resultCount as a string.
	countAsText bool
	// bare leaves source out of the entries.
	bare bool
}

// send writes the answer, compressed if the client takes gzip, and marks its
// entries as delivered just before its last bytes go out: a reader that has the
// whole answer finds them marked, and if those bytes can't be written the marks
// are taken back.
func (x *exchange) send(a *answer) {
	if x.fault.Effect == NoCookie {
		a.noCookie = true
	}
	x.t.count(Request{x.endpoint, http.StatusOK, x.fault.Effect})
	x.w.Header().Set("Content-Type", "application/json")
	if x.spoil(a) {
		return
	}
	control := http.NewResponseController(x.w)
	body := x.newBody(x.w)
	defer body.release()
	a.writeResult(body.out)
	// An error is the client's having gone away: nothing to be done for it.
	if body.flush() != nil || control.Flush() != nil {
		return
	}
	x.t.deliver(x.endpoint, a.entries, 1)
	a.writeEnd(body.out)
	if body.close() != nil || control.Flush() != nil {
		x.t.deliver(x.endpoint, a.entries, -1)
	}
}

// whole returns the complete body, compressed if the client takes gzip.
func (x *exchange) whole(a *answer) []byte {
	var b bytes.Buffer
	body := x.newBody(&b)
	defer body.release()
	a.writeResult(body.out)
	a.writeEnd(body.out)
	_ = body.close() // to memory
	return b.Bytes()
}

// body is where an answer is written: a buffer, perhaps before a compressor.
type body struct {
	t      *Tenant
	out    *bufio.Writer
	zipper *kgzip.Writer // nil: not compressed
}

// newBody says so in the headers if it compresses.
func (x *exchange) newBody(w io.Writer) body {
	b := body{t: x.t, out: x.t.writers.Get().(*bufio.Writer)}
	if x.takesGzip() {
		x.w.Header().Set("Content-Encoding", "gzip")
		b.zipper = x.t.zippers.Get().(*kgzip.Writer)
		b.zipper.Reset(w)
		w = b.zipper
	}
	b.out.Reset(w)
	return b
}

// flush passes on all that was written.
func (b body) flush() error {
	if err := b.out.Flush(); err != nil || b.zipper == nil {
		return err
	}
	return b.zipper.Flush()
}

// close passes on all that was written and ends the compression.
func (b body) close() error {
	if err := b.out.Flush(); err != nil || b.zipper == nil {
		return err
	}
	return b.zipper.Close()
}

// release gives the buffers back. They must not hold on to what they wrote to.
func (b body) release() {
	b.out.Reset(io.Discard)
	b.t.writers.Put(b.out)
	if b.zipper != nil {
		b.zipper.Reset(io.Discard)
		b.t.zippers.Put(b.zipper)
	}
}

// writeResult writes all up to the end of the result array. An error sticks to
// the writer until it is flushed.
func (a *answer) writeResult(out *bufio.Writer) {
	_, _ = out.WriteString(`{"result":`)
	if a.names != nil {
		_, _ = out.Write(a.names)
		return
	}
	_ = out.WriteByte('[')
	for i, e := range a.entries {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if a.bare && e.omit > 0 {
			_, _ = out.Write(e.raw[:e.omit])
			_ = out.WriteByte('}')
		} else {
			_, _ = out.Write(e.raw)
		}
	}
	_ = out.WriteByte(']')
}

// writeEnd writes what follows the result array.
func (a *answer) writeEnd(out *bufio.Writer) {
	count := strconv.Itoa(a.count)
	if a.countAsText {
		count = `"` + count + `"`
	}
	_, _ = out.WriteString(`,"resultCount":` + count)
	switch {
	case a.noCookie:
	case a.cookie == "":
		_, _ = out.WriteString(`,"pagedResultsCookie":null`)
	default:
		_, _ = out.WriteString(`,"pagedResultsCookie":"` + a.cookie + `"`)
	}
	total := `-1,"remainingPagedResults":-1}`
	if a.names != nil { // as documented for the source list
		total = `1,"remainingPagedResults":0}`
	}
	_, _ = out.WriteString(`,"totalPagedResultsPolicy":"NONE","totalPagedResults":` + total)
}

// takesGzip is true if the client accepts gzip.
func (x *exchange) takesGzip() bool {
	for _, header := range x.r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(header, ",") {
			name, quality, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
			if strings.EqualFold(name, "gzip") {
				q, given := strings.CutPrefix(quality, "q=")
				return !given || strings.Trim(q, "0.") != ""
			}
		}
	}
	return false
}

// errorBody returns the body of an error in one of the API's two forms.
func errorBody(f *failure) []byte {
	var body any = struct {
		Errors []string `json:"errors"`
	}{[]string{f.text}}
	switch f.status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable:
		body = struct {
			Code    int    `json:"code"`
			Reason  string `json:"reason"`
			Message string `json:"message"`
		}{f.status, http.StatusText(f.status), f.text}
	}
	text, err := json.Marshal(body)
	if err != nil { // cannot be: strings and a number
		return []byte("{}")
	}
	return text
}
