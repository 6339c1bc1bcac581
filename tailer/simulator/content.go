package simulator

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// part is one entry of a live event.
type part struct {
	after   time.Duration // behind the event's first entry
	payload []byte        // a JSON value
	json    bool          // application/json, else text/plain
}

// content makes up the payloads of live events. Names, addresses, numbers and
// tokens belong to nobody: mail at example.com, addresses reserved for
// documentation, telephone numbers reserved for fiction, card numbers for tests.
type content struct {
	rng    *rand.Rand
	am     [2]pod
	idm    [2]pod
	people []person
	recent [8]transaction
}

// pod is one server of the tenant. The ids of a pod count up; since there are
// several, those of a source are not in order.
type pod struct {
	id    string
	count int
}

type person struct {
	id, given, family, user, mail, phone string
}

// transaction is one request from outside, which leaves events in many sources.
type transaction struct {
	id, session, ip, agent, realm string
	hops, port                    int
	person                        person
}

func newContent(rng *rand.Rand) content {
	c := content{rng: rng}
	for i := range c.am {
		c.am[i] = pod{id: c.uuid(), count: 100_000 + rng.IntN(400_000)}
		c.idm[i] = pod{id: c.uuid(), count: 10_000 + rng.IntN(200_000)}
	}
	for _, p := range []person{
		{given: "Barbara", family: "Jensen", user: "bjensen", phone: "+1 202-555-0142"},
		{given: "Zoë", family: "Müller-Łukasz", user: "zmueller", phone: "+49 30 23125 017"},
		{given: "花子", family: "佐藤", user: "hsato", phone: "+1 (415) 555-0199"},
		{given: "Sam", family: "Carter", user: "scarter", phone: "+44 20 7946 0958"},
		{given: "Mary-Ann", family: "O'Brien", user: "mobrien", phone: "+353 20 910 0123"},
		{given: "José", family: "Núñez \"Pepe\"", user: "jnunez", phone: "+1-303-555-0117"},
		{given: "Aisha", family: "Khan", user: "akhan", phone: "202-555-0163"},
		{given: "Tenant", family: "Admin", user: "tenantadmin", phone: ""},
	} {
		p.id, p.mail = c.uuid(), p.user+"@example.com"
		c.people = append(c.people, p)
	}
	for i := range c.recent {
		c.recent[i] = c.newTransaction(time.Unix(1_700_000_000, 0))
	}
	return c
}

// event returns the entries of one event of a source that has a weight. With
// whole it is a single JSON object, which can be split.
func (c *content) event(source string, at time.Time, whole bool) []part {
	b := &builder{b: make([]byte, 0, 1024)}
	switch source {
	case "am-access":
		c.amAccess(b, at)
	case "am-activity":
		c.amActivity(b, at)
	case "am-authentication":
		c.amAuthentication(b, at)
	case "am-config":
		c.amConfig(b, at)
	case "am-core":
		return c.amCore(b, at, whole)
	case "idm-access":
		c.idmAccess(b, at)
	case "idm-activity":
		c.idmActivity(b, at)
	case "idm-authentication":
		c.idmAuthentication(b, at)
	case "idm-config":
		c.idmConfig(b, at)
	case "idm-sync":
		c.idmSync(b, at)
	case "idm-recon":
		c.idmRecon(b, at)
	case "idm-core":
		return c.idmCore(b, at, whole)
	case "ws-activity":
		c.wsActivity(b, at)
	case "ws-config":
		c.wsConfig(b, at)
	default:
		c.wsCore(b, at)
	}
	return []part{{payload: b.b, json: true}}
}

// finish writes the members that end an audit event in alphabetical order, as
// the real ones stand.
func (c *content) finish(b *builder, at time.Time, topic string, tx *transaction, tracked bool) {
	b.str("source", "audit")
	b.str("timestamp", millis(at.Add(-time.Duration(c.rng.IntN(int(2*time.Millisecond))))))
	b.str("topic", topic)
	if tracked {
		b.list("trackingIds", tx.session)
	}
	b.str("transactionId", tx.next())
}

func millis(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// next returns the transaction's id for one more component on its way.
func (t *transaction) next() string {
	hop := "/" + strconv.Itoa(t.hops)
	if t.hops++; t.hops%5 == 0 {
		hop += "/0/0" // a request within a request
	}
	return t.id + hop
}

// begin starts a transaction, in the place of an earlier one.
func (c *content) begin(at time.Time) *transaction {
	i := c.rng.IntN(len(c.recent))
	c.recent[i] = c.newTransaction(at)
	return &c.recent[i]
}

// running returns one of the recent transactions.
func (c *content) running() *transaction { return &c.recent[c.rng.IntN(len(c.recent))] }

func (c *content) newTransaction(at time.Time) transaction {
	t := transaction{
		id:      c.uuid() + "-request-" + strconv.Itoa(1+c.rng.IntN(9)),
		session: c.nextID(&c.am),
		ip:      c.address(),
		agent:   c.one("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Apache-HttpAsyncClient/4.1.4 (Java/11.0.16)", "ExampleApp/7.2 (iOS 18.1; de_DE)"),
		realm:   c.one("/alpha", "/alpha", "/bravo", "/"),
		port:    1024 + c.rng.IntN(60_000),
		person:  c.people[c.rng.IntN(len(c.people))],
	}
	if c.rng.IntN(2) == 0 {
		t.id = strconv.FormatInt(at.UnixMilli(), 10) + "-" + c.hex(10) + "-" + strconv.Itoa(c.rng.IntN(99_999))
	}
	return t
}

// nextID returns the `_id` of another event.
func (c *content) nextID(pods *[2]pod) string {
	p := &pods[c.rng.IntN(len(pods))]
	p.count += 1 + c.rng.IntN(12)
	return p.id + "-" + strconv.Itoa(p.count)
}

func (c *content) one(of ...string) string { return of[c.rng.IntN(len(of))] }

// oneIn is true once in n times.
func (c *content) oneIn(n int) bool { return c.rng.IntN(n) == 0 }

func (c *content) hex(bytes int) string {
	var b [32]byte
	for i := range b[:bytes] {
		b[i] = byte(c.rng.Uint32())
	}
	return hex.EncodeToString(b[:bytes])
}

func (c *content) uuid() string {
	h := c.hex(15)
	return h[:8] + "-" + h[8:12] + "-4" + h[12:15] + "-a" + h[15:18] + "-" + h[18:30]
}

func (c *content) address() string {
	if c.oneIn(8) {
		return "2001:db8:" + c.hex(2) + "::" + strconv.Itoa(1+c.rng.IntN(99))
	}
	return c.one("192.0.2.", "198.51.100.", "203.0.113.") + strconv.Itoa(1+c.rng.IntN(254))
}

func (c *content) internal() string { return "10.168.0." + strconv.Itoa(1+c.rng.IntN(20)) }

// token returns what looks like a signed JSON web token. Its signature is noise.
func (c *content) token(p person) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		encode([]byte(`{"sub":"`+p.id+`","aud":"endUserClient","realm":"/alpha"}`)) + "." +
		encode([]byte(c.hex(32)))
}

func (c *content) card() string {
	return c.one("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005")
}

func (c *content) password() string {
	return c.one("Winter2024!", "hunter2-"+c.hex(2), "Pa$$w0rd\\"+c.hex(1), "correct horse battery staple")
}

const host = "openam-example.forgeblocks.com"

// enlarge returns an object with a member more, of several kilobytes: the kind of
// object that a tenant splits. What real tenants take for too large is not known;
// every part is still many times as long as an ordinary line.
func (c *content) enlarge(object []byte) []byte {
	b := &builder{b: object[:len(object)-1]}
	b.open("objects", "[")
	for range 16 + c.rng.IntN(32) {
		p := c.people[c.rng.IntN(len(c.people))]
		b.open("", "{")
		b.str("_id", c.uuid())
		b.str("userName", p.user)
		b.str("sn", p.family)
		b.str("description", "member since "+strconv.Itoa(2000+c.rng.IntN(26))+"\n\t\"\u2026\" \\ "+c.hex(8))
		b.int("logins", c.rng.IntN(100_000))
		b.list("effectiveRoles", c.one("admin", "user"), c.hex(4))
		b.shut("}")
	}
	b.shut("]}")
	return b.b
}
