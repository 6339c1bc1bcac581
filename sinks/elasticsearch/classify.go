package elasticsearch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"aictail/sinks"
)

// verdict is what an item means for its event.
type verdict int

const (
	done     verdict = iota
	again            // sinks.Retry
	unwanted         // sinks.Poison, unless another form is taken
	barred           // sinks.Refused
)

// remedies says what to do about errors of the index or of the configuration, by
// their type. They have nothing to do with the event, whatever their status is.
var remedies = map[string]string{
	"index_not_found_exception":    "the index may not be created automatically: allow it (action.auto_create_index), or create it",
	"index_closed_exception":       "open the index",
	"invalid_index_name_exception": "change the sink's index or data_stream",
	"cluster_block_exception":      "the index or cluster is blocked for writing: remove the block (index.blocks.*), or free disk space",
	"validation_exception":         "the cluster takes no more shards: delete old indices, or raise cluster.max_shards_per_node",
	"security_exception":           "give the key or user the index privileges create_doc and auto_configure",
	// What an index of the same name does to a data stream, and the other way round.
	"resource_already_exists_exception": "something else has that name: change the sink's index or data_stream",
}

// judge says what an item means and why; the error is nil for done. The reason that
// the server gave may quote the event: what is taken from it is what harmless finds.
func judge(it item) (verdict, error) {
	typ := harmlessType(it.errType)
	switch {
	case it.status >= 200 && it.status <= 299:
		return done, nil
	case it.status == http.StatusConflict && (len(it.errType) == 0 || typ == "version_conflict_engine_exception"):
		return done, nil // it is there already
	case it.status == 0:
		return again, errors.New("the answer says nothing of the event")
	}
	err := fmt.Errorf("%s (status %d)%s", typ, it.status, harmless(it.errReason))
	if remedy := remedies[typ]; remedy != "" && it.status < 500 && it.status != http.StatusTooManyRequests {
		return barred, fmt.Errorf("%s (status %d): %s: %s", typ, it.status, plain(it.errReason), remedy)
	}
	switch {
	case typ == "illegal_argument_exception" && bytes.HasPrefix(it.errReason, []byte("pipeline with id [")):
		return barred, fmt.Errorf("%w: the pipeline does not exist: create it, or change the sink's pipeline", err)
	case typ == "illegal_argument_exception" && bytes.Contains(it.errReason, []byte("maximum")) && bytes.Contains(it.errReason, []byte("shards open")):
		return barred, fmt.Errorf("%w: %s", err, remedies["validation_exception"])
	case typ == "fail_processor_exception":
		return unwanted, err // by the will of whoever wrote the pipeline; its status is 500
	case it.status == http.StatusBadRequest, it.status == http.StatusRequestEntityTooLarge:
		return unwanted, err
	case passing(it.status):
		return again, err
	}
	return barred, err
}

// passing says whether a status that is not 2xx may be another one later, without
// anybody doing anything about it.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status >= 500 || status < 300
}

var (
	typeName = regexp.MustCompile(`^[a-z0-9_]{1,80}$`)
	// fieldOf finds the field, and its type, in the reasons of mapping failures:
	//
	//	[1:84] failed to parse field [n] of type [long] in document with id '1'. Preview of …
	//	Document contains at least one immense term in field="payload._value" (whose …
	//
	// Only their beginnings are looked at: what follows quotes the document.
	fieldOf = regexp.MustCompile(`^(?:\[\d+:\d+\] )?failed to parse field \[([A-Za-z0-9_.@-]{1,100})\] of type \[([a-z_]{1,40})\]`)
	termOf  = regexp.MustCompile(`^Document contains at least one immense term in field="([A-Za-z0-9_.@-]{1,100})"()`)
	// limitOf finds what a mapping's limits say of themselves.
	limitOf = regexp.MustCompile(`^Limit of (total fields|mapping depth) \[\d{1,9}\] has been exceeded`)
)

func harmlessType(typ []byte) string {
	if !typeName.Match(typ) {
		return "error of unknown type"
	}
	return string(typ)
}

// harmless returns what an item's reason says of fields: names and types, but no
// values, since the reason goes to logs and dead letters.
func harmless(reason []byte) string {
	if limit := limitOf.Find(reason); limit != nil {
		return ": " + string(limit)
	}
	m := fieldOf.FindSubmatch(reason)
	if m == nil {
		m = termOf.FindSubmatch(reason)
	}
	switch {
	case m == nil:
		return ""
	case bytes.IndexByte(m[1][1:], '@') >= 0:
		return "" // an address as the name of a field
	case len(m[2]) == 0:
		return fmt.Sprintf(" on field [%s]", m[1])
	}
	return fmt.Sprintf(" on field [%s] of type [%s]", m[1], m[2])
}

// unreached explains an error of the connection, which left no answer.
func unreached(err error, timeout time.Duration) *sinks.Error {
	refuse := func(remedy string) *sinks.Error {
		return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf("%w: %s", err, remedy)}
	}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errFingerprint):
		return refuse("compare it with the server's certificates; it changes when they are made anew")
	case authority:
		return refuse("name the CA's certificate with tls.ca_file, or its fingerprint with tls.ca_fingerprint")
	case host:
		return refuse("set tls.server_name to a name in the certificate, or use that name in urls")
	case invalid:
		return refuse("renew the server's certificate")
	case noTLS:
		return refuse("the server does not speak TLS there: use http in urls, or another port")
	case op != nil && op.Op == "remote error":
		return refuse("the server refuses the TLS connection: check tls.cert_file and tls.key_file")
	case errors.Is(err, context.DeadlineExceeded):
		return &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf("no answer within %s (timeout); whether it was carried out is not known: %w: if this goes on, look at the load of the cluster and at what is on the way to it", timeout, err)}
	}
	err = fmt.Errorf("no answer: %w", err)
	if remedy := sinks.Unreached(err, "urls"); remedy != "" {
		err = fmt.Errorf("%w: %s", err, remedy)
	}
	return &sinks.Error{Kind: sinks.Retry, Err: err}
}

// maxAfter bounds what a Retry-After may ask for: a wrong one must not stop
// delivery for a day.
const maxAfter = 5 * time.Minute

// refusal explains an answer other than 200 to a whole request.
func (s *Sink) refusal(status int, header http.Header, answer []byte) *sinks.Error {
	typ, reason := s.topCause(answer)
	err := fmt.Errorf("the server answered %d %s%s", status, http.StatusText(status), typ)
	// What these are about is the request, not what is in it.
	if reason != "" && (status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound) {
		err = fmt.Errorf("%w: %s", err, reason)
	}
	refused := func(remedy string) *sinks.Error {
		return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf("%w: %s", err, remedy)}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return &sinks.Error{Kind: sinks.Split, Err: fmt.Errorf("%w: the server takes no body of that size; see max_body", err)}
	case status >= 300 && status <= 399:
		return refused("redirects are not followed: give the final address in urls")
	case status == http.StatusUnauthorized:
		return refused("check api_key, or username and password")
	case status == http.StatusForbidden:
		return refused(remedies["security_exception"])
	case status == http.StatusNotFound:
		return refused("check urls, and that the index may be created")
	case passing(status):
		return &sinks.Error{Kind: sinks.Retry, After: s.after(header), Err: err}
	}
	return refused("check that urls lead to Elasticsearch or OpenSearch")
}

// after returns how long a Retry-After header asks to wait, 0 without one.
func (s *Sink) after(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(s.now())), maxAfter)
	}
	return 0
}

// maxReason bounds a reason that is logged.
const maxReason = 500

// topCause returns the type of an error answer, in a form to append, and its
// reason; both are "" for what is not JSON, such as a page of a proxy.
func (s *Sink) topCause(answer []byte) (typ, reason string) {
	w, ok := errorOf(answer)
	if !ok {
		return "", ""
	}
	t, r := w.cause()
	if typeName.Match(t) {
		typ = " (" + string(t) + ")"
	}
	return typ, plain([]byte(s.mask.Replace(string(r))))
}

// plain returns a reason that does not quote events, as text for a log.
func plain(reason []byte) string {
	return strings.ToValidUTF8(string(reason[:min(len(reason), maxReason)]), "")
}

// errorOf finds the member "error" of an error answer.
func errorOf(answer []byte) (walker, bool) {
	w := walker{b: answer}
	if !json.Valid(answer) || !w.enter('{') {
		return w, false
	}
	for w.more('}') {
		if string(w.key()) == "error" {
			return w, true
		}
		w.skip()
	}
	return w, false
}
