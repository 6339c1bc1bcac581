package aic

import (
	"bytes"
	"strings"
)

// inference names the source of entries that do not. Real tenants have left it
// out for single sources and have sent "unknown" for a time. A source is never
// guessed: it must be one that was asked for and the only one that fits.
type inference struct {
	only  string // the only source asked for, unless it is an *-everything
	asked []string
	audit []auditSource
}

// auditSource is an audit source that the request covers.
type auditSource struct {
	name, family, topic string
}

// everything lists the audit sources that an *-everything source stands for
// (vendor's documentation, "Sources"). They also are all those whose entries
// can be told by topic; debug sources have none.
func everything() []auditSource {
	return []auditSource{
		{"am-access", "am", "access"},
		{"am-activity", "am", "activity"},
		{"am-authentication", "am", "authentication"},
		{"am-config", "am", "config"},
		{"idm-access", "idm", "access"},
		{"idm-activity", "idm", "activity"},
		{"idm-authentication", "idm", "authentication"},
		{"idm-config", "idm", "config"},
		{"idm-recon", "idm", "recon"},
		{"idm-sync", "idm", "sync"},
		{"ws-activity", "ws", "activity"},
		{"ws-config", "ws", "config"},
	}
}

func newInference(sources string) *inference {
	n := &inference{}
	covered := make(map[string]bool)
	for name := range strings.SplitSeq(sources, ",") {
		if name = strings.TrimSpace(name); name != "" && !covered[name] {
			covered[name] = true
			n.asked = append(n.asked, name)
		}
	}
	for _, a := range everything() {
		if covered[a.name] || covered[a.family+"-everything"] {
			n.audit = append(n.audit, a)
		}
	}
	if len(n.asked) == 1 && !strings.HasSuffix(n.asked[0], "-everything") {
		n.only = n.asked[0]
	}
	return n
}

// source infers an entry's source from its payload's topic, eventName and
// source, each maybe empty. It returns "" if none fits or more than one does.
func (n *inference) source(topic, event, origin []byte) string {
	if n.only != "" {
		return n.only
	}
	if len(origin) > 0 {
		// Usually "audit", but where it is a log source it is the answer.
		for _, name := range n.asked {
			if string(origin) == name {
				return name
			}
		}
		for i := range n.audit {
			if string(origin) == n.audit[i].name {
				return n.audit[i].name
			}
		}
	}
	if len(topic) == 0 {
		return ""
	}
	found := ""
	for i := range n.audit {
		a := &n.audit[i]
		if string(topic) != a.topic || !fits(a.family, topic, event) {
			continue
		}
		if found != "" {
			return ""
		}
		found = a.name
	}
	return found
}

// fits reports whether an audit event of the given name can be of the family.
// AM's names all begin with "AM-" and nobody else's do. IDM names its events
// after the topic ("access", "CONFIG"), with few exceptions; the WS-Federation
// service (PingFederate) uses AUTHN_ATTEMPT, EXPORT and the like, or none.
func fits(family string, topic, event []byte) bool {
	am := bytes.HasPrefix(event, []byte("AM-"))
	switch family {
	case "am":
		return am || len(event) == 0
	case "ws":
		return !am && !bytes.EqualFold(event, topic)
	}
	return !am
}
