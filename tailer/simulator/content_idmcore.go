package simulator

import (
	"fmt"
	"time"
)

// idmCore returns a debug event of IDM: a java.util.logging record whose lines
// are entries of their own, some with a stack trace, sometimes JSON.
func (c *content) idmCore(b *builder, at time.Time, whole bool) []part {
	if whole || c.oneIn(12) {
		b.open("", "{")
		b.str("message", "LOADED SECRET TO ESV")
		b.str("name", "esv-"+c.one("smtp-password", "signing-key", "größe"))
		b.str("target", c.one("esv.smtp.password", "esv.signing.key"))
		b.str("type", c.one("property", "file"))
		b.shut("}")
		return []part{{payload: b.b, json: true}}
	}
	p := c.running().person
	where, lines := "org.forgerock.openidm.internal.InternalObjectSet readInstance", []string{"FINE: Read name=user id=anonymous"}
	switch c.rng.IntN(8) {
	case 0:
		where, lines = "org.forgerock.openidm.sync.impl.ObjectMapping doRecon", c.idmTrace()
	case 1:
		where, lines = "org.forgerock.openidm.external.email.impl.EmailServiceImpl send", []string{
			"INFO: Sending email to=" + p.mail + " subject=\"Passwort zurücksetzen\""}
	case 2:
		where, lines = "org.forgerock.openidm.script.javascript.ScriptedRequestHandler log", []string{
			"WARNING: request to https://partner.example.com/token failed: {\"user\":\"" + p.user + "\",\"password\":\"" + c.password() + "\"}"}
	case 3:
		where, lines = "org.forgerock.openidm.managed.ManagedObjectSet patchInstance", []string{
			"FINE: Patch name=alpha_user id=" + p.id}
	case 4:
		where, lines = "org.forgerock.openidm.scheduler.JobExecution run", []string{
			"INFO: Started at " + at.UTC().Format(time.RFC3339Nano), "  trigger: liveSync", "  next: in 60 s"}
	}
	parts := make([]part, 0, 1+len(lines))
	header := at.UTC().Format("Jan 02, 2006 3:04:05 PM ") + where
	parts = append(parts, part{payload: quoted(header)})
	after := time.Duration(0)
	for _, line := range lines {
		after += time.Duration(4_000 + c.rng.IntN(26_000))
		parts = append(parts, part{after: after, payload: quoted(line)})
	}
	return parts
}

// idmTrace returns the lines of a record with a stack trace.
func (c *content) idmTrace() []string {
	lines := []string{
		"SEVERE: Reconciliation failed for mapping systemLdapAccounts_managedAlpha_user",
		"org.forgerock.json.resource.InternalServerErrorException: Connection \"ldap\" timed out",
	}
	for range 4 + c.rng.IntN(12) {
		lines = append(lines, fmt.Sprintf("\tat org.forgerock.openidm.%s(Obj.java:%d)",
			c.one("sync.impl.ObjectMapping.doRecon", "provisioner.openicf.impl.OpenICFProvisionerService.handleQuery", "util.Threads.run"), c.rng.IntN(900)))
	}
	return append(lines, "Caused by: java.net.SocketTimeoutException: Read timed out", "\t... 12 more")
}
