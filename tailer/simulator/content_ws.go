package simulator

import (
	"strconv"
	"time"
)

func (c *content) wsActivity(b *builder, at time.Time) {
	tx := c.running()
	b.open("", "{")
	b.open("client", "{")
	b.str("ip", tx.ip)
	b.shut("}")
	b.str("eventName", c.one("AUTHN_REQUEST", "AUTHN_ATTEMPT", "SSO", "AUTHN_SESSION_CREATED"))
	b.str("logFile", "audit.log")
	b.open("request", "{")
	b.str("adapterId", "1731608547")
	b.str("connectionId", "urn:federation:MicrosoftOnline")
	b.str("protocol", "WSFED")
	b.str("role", "IdP")
	b.str("subject", tx.person.mail)
	b.shut("}")
	b.open("response", "{")
	b.str("elapsedTime", strconv.Itoa(c.rng.IntN(800)))
	b.str("elapsedTimeUnits", "MILLISECONDS")
	b.str("status", c.one("success", "inprogress", "failure"))
	b.shut("}")
	b.open("server", "{")
	b.str("hostname", "pingfederate-engine-example-0")
	b.shut("}")
	b.str("source", "audit")
	b.str("timestamp", millis(at))
	b.str("topic", "activity")
	b.str("trackingId", "tid:"+c.hex(14))
	b.str("transactionId", tx.next())
	b.shut("}")
}

func (c *content) wsConfig(b *builder, at time.Time) {
	b.open("", "{")
	b.open("client", "{")
	b.str("ip", c.internal())
	b.shut("}")
	b.raw("http", `{"request":{"method":"GET","path":"/configArchive/export"}}`)
	b.str("logFile", "admin-api.log")
	b.raw("request", `{"authType":"Bearer","partnerId":"pingfederate-resource-server","user":"pingfederate-resource-server"}`)
	b.open("response", "{")
	b.str("statusCode", c.one("200", "403"))
	b.shut("}")
	b.str("source", "audit")
	b.str("timestamp", millis(at))
	b.str("topic", "config")
	b.shut("}")
}

func (c *content) wsCore(b *builder, at time.Time) {
	b.open("", "{")
	b.str("level", c.one("INFO", "DEBUG", "WARN"))
	b.str("logFile", "server.log")
	b.str("logger", c.one("org.sourceid.websso.servlet.reqparam.ValidationHub", "com.pingidentity.pf.admin.rest.filter.OAuth2AdminAuthHandler"))
	b.str("message", c.one("Created 2 validators for parameter SpSessionAuthnAdapterId",
		"subject "+c.running().person.mail+" signed in", ""))
	b.str("timestamp", millis(at))
	b.shut("}")
}
