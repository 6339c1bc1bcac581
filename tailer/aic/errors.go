package aic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/klauspost/compress/gzip"
)

// What a failed request means. Use errors.Is. An error that matches none of
// them is a failure of the network or the end of the caller's context.
var (
	// ErrUnauthorized: the key or the secret is wrong, revoked or not allowed to
	// read logs (401, 403). Only a person can mend it.
	ErrUnauthorized = errors.New("the tenant refuses the API key")
	// ErrRateLimited: too many requests (429). StatusError.Quota may say when
	// to go on.
	ErrRateLimited = errors.New("rate limit reached")
	// ErrCookieRefused: the paging cookie is malformed or has expired. Start
	// without one.
	ErrCookieRefused = errors.New("the tenant refuses the paging cookie")
	// ErrBadRequest: any other 4xx. The same request will fail again.
	ErrBadRequest = errors.New("the tenant refuses the request")
	// ErrServer: 5xx. Note that a query filter without leading slashes in its
	// pointers is answered with 500, too.
	ErrServer = errors.New("the tenant failed to answer")
	// ErrBody: the status was good but the body is not a whole page: cut off,
	// not JSON, of another shape, or too large. Entries that were handed out
	// before are as the tenant sent them, but some are missing.
	ErrBody = errors.New("the answer is not a complete page")
	// ErrRedirect: the tenant redirects to where the API key must not go.
	ErrRedirect = errors.New("redirect refused")
)

const (
	keyPlace = "Tenant Settings > Log API Keys"
	// The bounds of what an operator gets to read of a server's error text. The
	// longest known message of the API has about 150 characters.
	maxMessages      = 5
	maxMessageLength = 500
)

// StatusError is an answer with a status other than 200.
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// Messages is what the answer says in plain text: at most a few, each one
	// line, of bounded length and without control characters.
	Messages []string
	// Quota is what the headers say about the rate limit.
	Quota Quota

	cookie bool // the answer names the paging cookie, maybe beyond Messages
}

// Error implements error and says what to do where that is known.
func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if len(e.Messages) > 0 {
		b.WriteString(": " + strings.Join(e.Messages, "; "))
	}
	if hint := e.hint(); hint != "" {
		b.WriteString(" (" + hint + ")")
	}
	return b.String()
}

func (e *StatusError) hint() string {
	switch kind := e.kind(); {
	case errors.Is(kind, ErrUnauthorized):
		return "check api_key and api_secret of the tenant; keys are created in its admin console under " + keyPlace
	case errors.Is(kind, ErrRateLimited) && e.Quota.RetryAfter > 0:
		return "the tenant asks to wait " + e.Quota.RetryAfter.String()
	}
	return ""
}

// Is reports whether target is the sentinel that the status stands for.
func (e *StatusError) Is(target error) bool { return e.kind() == target }

func (e *StatusError) kind() error {
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return ErrUnauthorized
	case e.Status == http.StatusTooManyRequests:
		return ErrRateLimited
	case e.Status == http.StatusBadRequest && e.namesCookie():
		return ErrCookieRefused
	case e.Status >= 400 && e.Status < 500:
		return ErrBadRequest
	case e.Status >= 500:
		return ErrServer
	}
	return ErrBody // a success or a redirect that brings no page
}

// namesCookie: the API answers a bad cookie with "Error Parsing Query Parameter
// _pagedResultsCookie: Invalid Format"; upper and lower case vary.
func (e *StatusError) namesCookie() bool {
	return e.cookie || slices.ContainsFunc(e.Messages, namesCookie)
}

func namesCookie(message string) bool {
	return strings.Contains(strings.ToLower(message), "_pagedresultscookie")
}

// statusError reads the answer's body and closes it.
func (c *Client) statusError(resp *http.Response, quota Quota) *StatusError {
	e := &StatusError{Status: resp.StatusCode, Quota: quota}
	for _, m := range messages(readErrorBody(resp.Body)) {
		e.cookie = e.cookie || namesCookie(m)
		if m = printable(c.mask.Replace(m)); m != "" && len(e.Messages) < maxMessages {
			e.Messages = append(e.Messages, m)
		}
	}
	return e
}

// readErrorBody returns the beginning of the body, inflated, as far as it can
// be read. The status alone says enough, so failures are not reported.
func readErrorBody(body io.ReadCloser) []byte {
	raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	_ = body.Close()
	if !isGzip(raw) {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(io.LimitReader(z, maxErrorBody))
	return plain
}

// messages finds the texts in an error body: {"errors":[…]}, {"message":…} and
// relatives, the title of an HTML page, or plain text.
func messages(body []byte) []string {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil
	case body[0] == '<':
		return []string{htmlTitle(body)}
	case body[0] == '{':
		return jsonMessages(body)
	case body[0] == '[' || body[0] == '"':
		return nil
	}
	return []string{string(body)}
}

func jsonMessages(body []byte) []string {
	var doc struct {
		Errors           json.RawMessage `json:"errors"`
		Message          json.RawMessage `json:"message"`
		Error            json.RawMessage `json:"error"`
		ErrorDescription json.RawMessage `json:"error_description"`
		Reason           json.RawMessage `json:"reason"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return nil
	}
	var texts []string
	var list []json.RawMessage
	if json.Unmarshal(doc.Errors, &list) != nil {
		list = []json.RawMessage{doc.Errors} // one text instead of a list
	}
	// "reason" is the status in words: of interest only if nothing else is said.
	for _, raw := range append(list, doc.Message, doc.Error, doc.ErrorDescription) {
		if text := jsonText(raw); text != "" {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return []string{jsonText(doc.Reason)}
	}
	return texts
}

// jsonText returns raw if it is a string, its member "message" if it is an
// object, else "".
func jsonText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var doc struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &doc) != nil {
		return ""
	}
	return doc.Message
}

// htmlTitle returns what may be quoted of an HTML page.
func htmlTitle(page []byte) string {
	const untitled = "an HTML page"
	page = page[:min(len(page), maxErrorBody)]
	lower := make([]byte, len(page))
	for i, c := range page {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	_, rest, found := bytes.Cut(lower, []byte("<title"))
	if !found {
		return untitled
	}
	_, rest, found = bytes.Cut(rest, []byte(">"))
	if !found {
		return untitled
	}
	start := len(lower) - len(rest)
	end := bytes.IndexByte(rest, '<')
	if end < 0 {
		return untitled
	}
	title := printable(string(page[start : start+end]))
	if title == "" {
		return untitled
	}
	return untitled + ": " + title
}

// printable makes a text of the server's fit for one line of a log.
func printable(s string) string {
	if len(s) > 4*maxMessageLength {
		s = s[:4*maxMessageLength] // before the work, not instead of the bound
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == unicode.ReplacementChar:
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxMessageLength {
		s = string(runes[:maxMessageLength]) + "…"
	}
	return s
}
