package simulator

import (
	"fmt"
	"strings"
	"time"
)

// amCore returns a debug event of AM: mostly JSON, sometimes a line of the
// server's access log with its line end.
func (c *content) amCore(b *builder, at time.Time, whole bool) []part {
	if !whole && c.oneIn(6) {
		line := fmt.Sprintf("%s - - [%s] \"GET /am/json/health/%s HTTP/1.1\" %s %d %d\n",
			c.internal(), at.UTC().Format("02/Jan/2006:15:04:05 -0700"), c.one("live", "ready"), c.one("200", "200", "503"), c.rng.IntN(900), c.rng.IntN(40))
		return []part{{payload: quoted(line)}}
	}
	tx := c.running()
	level, logger, message, exception := c.amCoreMessage(tx, whole)
	id := tx.next()
	b.open("", "{")
	b.str("context", "default")
	if exception != "" {
		b.str("exception", exception)
	}
	b.str("level", level)
	b.str("logger", logger)
	b.open("mdc", "{")
	b.str("transactionId", id)
	b.shut("}")
	b.str("message", message)
	b.str("thread", fmt.Sprintf("http-nio-8080-exec-%d", 1+c.rng.IntN(20)))
	b.str("timestamp", millis(at))
	b.str("transactionId", id)
	b.shut("}")
	return []part{{payload: b.b, json: true}}
}

// amCoreMessage returns what is logged. With long it has a stack trace: split
// events are large ones.
func (c *content) amCoreMessage(tx *transaction, long bool) (level, logger, message, exception string) {
	p := tx.person
	if long {
		return "ERROR", "org.forgerock.openam.http.ApiDescriptorFilter", "Failed to read form data", c.amTrace()
	}
	switch c.rng.IntN(9) {
	case 0:
		return "DEBUG", "com.sun.identity.idm.server.IdServicesImpl", "search found 1 identity for " + p.user, ""
	case 1:
		return "DEBUG", "com.sun.identity.sm.CachedSMSEntry", "read entry from the cache, 17 attributes", ""
	case 2:
		return "WARN", "org.forgerock.openam.core.rest.authn.callbackhandlers",
			"Received unexpected callback value: IDToken2=" + c.password() + " for principal " + p.mail, ""
	case 3:
		return "INFO", "scripts.AUTHENTICATION_TREE_DECISION_NODE." + c.uuid() + ".(Send Code)",
			"sending one-time code " + c.hex(3) + " to " + p.phone + "\n\tlocale: \"de\"", ""
	case 4:
		return "ERROR", "scripts.AUTHENTICATION_TREE_DECISION_NODE." + c.uuid() + ".(Payment Check)",
			"payment service refused card " + c.card() + " of " + p.given + " " + p.family + " \u2014 Authorization: Bearer " + c.token(p), ""
	case 5:
		return "ERROR", "org.forgerock.openam.http.ApiDescriptorFilter", "Failed to read form data", c.amTrace()
	case 6:
		return "DEBUG", "org.forgerock.openam.oauth2.token.stateless", "Issued access_token=" + c.token(p) + " to client endUserClient", ""
	case 7:
		return "DEBUG", "com.iplanet.dpro.session.SessionIDFactory", "", ""
	}
	return "DEBUG", "org.forgerock.opendj.ldap.CachedConnectionPool", "Connection attempt failed: availableConnections=0, maxPoolSize=10", ""
}

// amTrace returns a stack trace in one text, as AM logs it.
func (c *content) amTrace() string {
	var text strings.Builder
	text.WriteString("java.io.IOException: Enclosing message doesn't have the \"application/x-www-form-urlencoded\" Content-Type header\n")
	frames := []string{
		"org.forgerock.http.handler.Handlers$1.handle(Handlers.java:%d)",
		"org.forgerock.openam.http.OpenAMHttpApplication.lambda$static$1(OpenAMHttpApplication.java:%d)",
		"javax.servlet.http.HttpServlet.service(HttpServlet.java:%d)",
		"org.apache.catalina.core.ApplicationFilterChain.internalDoFilter(ApplicationFilterChain.java:%d)",
	}
	for range 10 + c.rng.IntN(30) {
		fmt.Fprintf(&text, "\tat "+frames[c.rng.IntN(len(frames))]+"\n", 20+c.rng.IntN(900))
	}
	if c.oneIn(2) {
		text.WriteString("Caused by: java.lang.IllegalStateException: Content-Type is null\n\t... 41 more\n")
	}
	return text.String()
}
