package terminal

import (
	"strconv"
	"strings"
)

// summarize returns what an audit event of a topic says, in one line; nothing if it
// is of another kind.
func summarize(topic string, p object) []piece {
	var s summary
	switch topic {
	case "access":
		s.access(p)
	case "authentication":
		s.authentication(p)
	case "activity", "config":
		s.change(p)
	case "sync", "recon":
		s.sync(p)
	}
	return s
}

// summary collects the pieces of one line; empty ones are left out.
type summary []piece

func (s *summary) add(text string) {
	if text != "" {
		*s = append(*s, piece{text: text})
	}
}

// labelled adds a value with a word before it.
func (s *summary) labelled(label, text string) {
	if text != "" {
		s.add(label + " " + text)
	}
}

// outcome adds a status or result, in the look of a failure if it is one.
func (s *summary) outcome(text string) {
	if text == "" {
		return
	}
	l := lookPlain
	if code, err := strconv.Atoi(text); err == nil && code >= 400 || isFailure(text) {
		l = lookBad
	}
	*s = append(*s, piece{text: text, look: l})
}

func isFailure(text string) bool {
	switch strings.ToUpper(text) {
	case "FAILED", "FAILURE", "ERROR":
		return true
	}
	return false
}

// access: method path status elapsed principal.
func (s *summary) access(p object) {
	request := p.in("http", "request")
	if method := request.text("method"); method != "" {
		s.add(method)
		s.add(path(request.text("path")))
	} else {
		s.add(p.in("request").text("operation"))
	}
	response := p.in("response")
	code, status := response.text("statusCode"), response.text("status")
	s.outcome(code)
	if code == "" || isFailure(status) {
		s.outcome(status)
	}
	s.add(elapsed(response))
	s.add(principal(p))
	s.add(response.in("detail").text("reason"))
}

// authentication: result, tree or module, principal.
func (s *summary) authentication(p object) {
	entry := p.in("entries")
	info := entry.in("info")
	s.outcome(p.text("result"))
	s.labelled("tree", info.text("treeName"))
	if node := firstOf(info, "displayName", "nodeType"); node != "" {
		s.labelled("node", node)
		s.labelled("→", info.text("nodeOutcome"))
	}
	s.labelled("module", entry.text("moduleId"))
	if who := p.text("principal"); who != "" {
		s.add(who)
	} else {
		s.add(principal(p))
	}
	s.labelled("from", info.text("ipAddress"))
	if reason := firstOf(p, "exception"); reason != "" {
		first, _ := lines(reason)
		s.add(first)
	}
}

// change: operation and object, for activity and configuration.
func (s *summary) change(p object) {
	s.add(p.text("operation"))
	s.add(p.text("objectId"))
	if len(*s) == 0 {
		s.federation(p)
		return
	}
	if fields := p.text("changedFields"); fields != "" {
		s.add("[" + fields + "]")
	}
	if p.text("passwordChanged") == "true" {
		s.add("password changed")
	}
	if status := p.text("status"); isFailure(status) {
		s.outcome(status)
	}
	s.labelled("by", principal(p))
	if message, _ := lines(p.text("message")); message != "" {
		s.add("– " + message)
	}
}

// federation is the activity and configuration of the WS-Federation service, which
// has members of its own.
func (s *summary) federation(p object) {
	request, response := p.in("request"), p.in("response")
	if method := p.in("http", "request").text("method"); method != "" {
		s.add(method)
		s.add(path(p.in("http", "request").text("path")))
	}
	s.outcome(response.text("statusCode"))
	s.outcome(response.text("status"))
	s.add(request.text("protocol"))
	s.add(firstOf(request, "subject", "user"))
	s.labelled("→", firstOf(request, "connectionId", "partnerId"))
	s.add(elapsed(response))
}

// sync: what was done to which object, and why.
func (s *summary) sync(p object) {
	s.add(p.text("entryType"))
	s.add(p.text("action"))
	s.add(p.text("situation"))
	s.add(p.text("sourceObjectId"))
	s.labelled("→", p.text("targetObjectId"))
	s.labelled("mapping", p.text("mapping"))
	s.outcome(p.text("status"))
	first, _ := lines(firstOf(p, "message", "exception"))
	s.add(first)
}

func firstOf(p object, keys ...string) string {
	for _, key := range keys {
		if text := p.text(key); text != "" {
			return text
		}
	}
	return ""
}

// path returns a URL without scheme and host.
func path(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return "/"
}

// elapsed returns how long a request took.
func elapsed(response object) string {
	n := response.text("elapsedTime")
	if n == "" {
		return ""
	}
	switch unit := response.text("elapsedTimeUnits"); unit {
	case "", "MILLISECONDS":
		return n + " ms"
	case "SECONDS":
		return n + " s"
	default:
		return n + " " + strings.ToLower(unit)
	}
}

// principal returns who did it: the userId, of AM's id=…,ou=user,… only the name.
func principal(p object) string {
	id := firstOf(p, "userId", "runAs")
	name, _, isDN := strings.Cut(id, ",ou=")
	if _, value, ok := strings.Cut(name, "="); ok && isDN {
		return value
	}
	return id
}
