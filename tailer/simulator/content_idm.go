package simulator

import (
	"strconv"
	"time"
)

// openIDM begins an audit event of IDM.
func (c *content) openIDM(b *builder) {
	b.open("", "{")
	b.str("_id", c.nextID(&c.idm))
}

func (c *content) idmAccess(b *builder, at time.Time) {
	if c.oneIn(3) {
		c.idmPing(b, at)
		return
	}
	tx := c.running()
	// A PUT of a new object logs a failed creation before the update: the tenant's
	// way, not a fault of ours.
	operation, method, status, code := "QUERY", "GET", "SUCCESSFUL", "200"
	switch c.rng.IntN(5) {
	case 0:
		operation, method, status, code = "CREATE", "PUT", "FAILED", "412"
	case 1:
		operation, method, code = "UPDATE", "PUT", c.one("200", "201")
	case 2:
		operation, method = "PATCH", "PATCH"
	}
	c.openIDM(b)
	b.open("client", "{")
	b.str("ip", tx.ip)
	b.int("port", tx.port)
	b.shut("}")
	b.str("eventName", "access")
	b.open("http", "{")
	b.open("request", "{")
	b.open("headers", "{")
	b.list("host", host)
	b.list("user-agent", tx.agent)
	b.list("x-forwarded-for", tx.ip+", 198.51.100.150, "+c.internal())
	b.shut("}")
	b.str("method", method)
	b.str("path", "https://"+host+"/openidm/managed/alpha_user/"+tx.person.id)
	if operation == "QUERY" {
		b.open("queryParameters", "{")
		b.list("_queryFilter", `/mail eq "`+tx.person.mail+`"`)
		b.shut("}")
	}
	b.raw("secure", "true")
	b.shut("}}")
	b.str("level", "INFO")
	b.open("request", "{")
	b.str("operation", operation)
	b.str("protocol", "CREST")
	b.shut("}")
	b.open("response", "{")
	if status == "FAILED" {
		b.raw("detail", `{"reason":"Precondition Failed"}`)
	}
	b.int("elapsedTime", c.rng.IntN(400))
	b.str("elapsedTimeUnits", "MILLISECONDS")
	b.str("status", status)
	b.str("statusCode", code)
	b.shut("}")
	b.list("roles", "internal/role/openidm-authorized")
	c.finish(b, at, "access", tx, false)
	b.str("userId", tx.person.id)
	b.shut("}")
}

// idmPing writes the health checks that fill idm-access.
func (c *content) idmPing(b *builder, at time.Time) {
	c.openIDM(b)
	b.open("client", "{")
	b.str("ip", c.internal())
	b.int("port", 30_000+c.rng.IntN(30_000))
	b.shut("}")
	b.str("eventName", "access")
	b.raw("http", `{"request":{"headers":{"host":["idm"]},"method":"GET","path":"http://idm/openidm/info/ping","secure":false}}`)
	b.str("level", "INFO")
	b.raw("request", `{"operation":"READ","protocol":"CREST"}`)
	b.open("response", "{")
	b.int("elapsedTime", 1+c.rng.IntN(4))
	b.str("elapsedTimeUnits", "MILLISECONDS")
	b.str("status", "SUCCESSFUL")
	b.str("statusCode", "200")
	b.shut("}")
	b.list("roles", "internal/role/openidm-reg")
	b.str("source", "audit")
	b.str("timestamp", millis(at))
	b.str("topic", "access")
	b.str("transactionId", c.nextID(&c.idm))
	b.str("userId", "anonymous")
	b.shut("}")
}

// idmActivity writes changes of users, now and then with the values before and
// after: personal data, and numbers and texts that a careless reader spoils.
func (c *content) idmActivity(b *builder, at time.Time) {
	tx := c.running()
	p := tx.person
	values := c.oneIn(3)
	c.openIDM(b)
	if values {
		b.open("after", "{")
		b.str("givenName", p.given)
		b.str("sn", p.family)
		b.str("mail", p.mail)
		b.str("telephoneNumber", p.phone)
		b.raw("frIndexedInteger1", strconv.FormatUint(9_007_199_254_740_993+uint64(c.rng.IntN(999)), 10))
		b.raw("frUnindexedInteger1", "18446744073709551615")
		b.raw("score", "1.0")
		b.raw("quota", c.one("1e5", "2.50E-3", "-0", "0.10"))
		b.str("nickname", "")
		b.raw("manager", "null")
		b.raw("description", c.one(`"caf\u00e9 \/ na\u00EFve \ud83d\ude00"`, `"線路\tはつづく \"どこまでも\""`, `"<b>&amp;\u2028</b>"`))
		b.shut("}")
		b.open("before", "{")
		b.str("sn", "Brown")
		b.str("mail", "old."+p.user+"@example.com")
		b.shut("}")
		b.list("changedFields", "mail", "sn")
	} else {
		b.list("changedFields")
	}
	b.str("eventName", "activity")
	b.str("level", "INFO")
	b.str("message", c.one("", "", "Relationship originating from managed/alpha_user/"+p.id+" via the relationship field manager was created."))
	b.str("objectId", "managed/alpha_user/"+p.id)
	b.str("operation", c.one("PATCH", "UPDATE", "CREATE"))
	b.raw("passwordChanged", c.one("false", "false", "true"))
	b.raw("revision", c.one("null", `"00000000412cae36"`, `"`+c.uuid()+`-2451"`))
	b.str("runAs", p.id)
	b.str("status", "SUCCESS")
	c.finish(b, at, "activity", tx, false)
	b.str("userId", p.id)
	b.shut("}")
}

func (c *content) idmAuthentication(b *builder, at time.Time) {
	tx := c.running()
	c.openIDM(b)
	b.open("entries", "[")
	b.open("", "{")
	b.open("info", "{")
	b.str("ipAddress", tx.ip)
	b.str("org.forgerock.authentication.principal", tx.person.user)
	b.shut("}")
	b.str("moduleId", c.one("rsFilter", "STATIC_USER", "INTERNAL_USER"))
	b.shut("}]")
	b.str("eventName", "authentication")
	b.str("level", "INFO")
	b.str("method", "MANAGED_USER")
	b.list("principal", tx.person.user)
	b.str("result", c.one("SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "FAILED"))
	c.finish(b, at, "authentication", tx, true)
	b.str("userId", tx.person.id)
	b.shut("}")
}

func (c *content) idmConfig(b *builder, at time.Time) {
	tx := c.running()
	c.openIDM(b)
	b.list("changedFields", "/mappings")
	b.str("eventName", "CONFIG")
	b.str("level", "INFO")
	b.str("objectId", c.one("sync", "managed", "access"))
	b.str("operation", "UPDATE")
	b.raw("revision", "null")
	b.str("runAs", tx.person.id)
	c.finish(b, at, "config", tx, false)
	b.str("userId", tx.person.id)
	b.shut("}")
}

func (c *content) idmSync(b *builder, at time.Time) {
	tx := c.running()
	c.openIDM(b)
	ignored := c.oneIn(2)
	if ignored {
		b.str("action", "ASYNC")
	} else {
		b.str("action", "UPDATE")
	}
	b.str("eventName", "sync")
	b.raw("exception", "null")
	b.str("level", "INFO")
	b.str("linkQualifier", "default")
	b.str("mapping", "managedAlpha_user_managedBravo_user")
	b.raw("message", "null")
	if ignored {
		b.str("situation", "SOURCE_IGNORED")
	} else {
		b.str("situation", "CONFIRMED")
	}
	b.str("sourceObjectId", "managed/alpha_user/"+tx.person.id)
	b.str("status", "SUCCESS")
	if ignored {
		b.raw("targetObjectId", "null")
	} else {
		b.str("targetObjectId", c.uuid())
	}
	c.finish(b, at, "sync", tx, false)
	b.str("userId", tx.person.id)
	b.shut("}")
}

func (c *content) idmRecon(b *builder, at time.Time) {
	tx := c.running()
	c.openIDM(b)
	b.str("action", "UPDATE")
	b.raw("ambiguousTargetObjectIds", "null")
	b.str("entryType", c.one("start", "entry", "summary"))
	b.str("eventName", "recon")
	b.raw("exception", "null")
	b.str("level", "INFO")
	b.str("mapping", "systemLdapAccounts_managedAlpha_user")
	b.raw("message", "null")
	b.str("reconAction", "recon")
	b.str("reconId", c.uuid())
	b.str("reconciling", "source")
	b.str("situation", c.one("CONFIRMED", "ABSENT", "FOUND"))
	b.str("sourceObjectId", "system/Ldap/accounts/"+tx.person.id)
	b.str("status", "SUCCESS")
	b.str("targetObjectId", "managed/alpha_user/"+tx.person.id)
	c.finish(b, at, "recon", tx, false)
	b.str("userId", tx.person.id)
	b.shut("}")
}
