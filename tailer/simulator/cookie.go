package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
)

// cookie is what a pagedResultsCookie stands for. Its text is base64 with all
// characters that must be escaped in a URL, and it is signed with a key that
// every Tenant draws anew: garbage, a cookie of another tenant, of the other
// endpoint or of other sources is refused.
type cookie struct {
	// last is the last returned entry or, for a tail that has returned none, the
	// start of its time with sequence number 0.
	last position
	// until is the end of a range query in nanoseconds since 1970.
	until int64
}

const (
	cookieFields = 3 * 8
	cookieSize   = cookieFields + 16 // half a SHA-256 is more than enough here
)

func (t *Tenant) encodeCookie(c cookie, endpoint Endpoint, sources []string) string {
	b := make([]byte, 0, cookieSize)
	b = binary.BigEndian.AppendUint64(b, uint64(c.last.time))
	b = binary.BigEndian.AppendUint64(b, c.last.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(c.until))
	b = append(b, t.sign(b, endpoint, sources)...)
	return base64.StdEncoding.EncodeToString(b)
}

func (t *Tenant) decodeCookie(text string, endpoint Endpoint, sources []string) (cookie, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != cookieSize || !hmac.Equal(b[cookieFields:], t.sign(b[:cookieFields], endpoint, sources)) {
		return cookie{}, false
	}
	return cookie{
		last:  position{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])},
		until: int64(binary.BigEndian.Uint64(b[16:])),
	}, true
}

func (t *Tenant) sign(b []byte, endpoint Endpoint, sources []string) []byte {
	sources = slices.Clone(sources)
	slices.Sort(sources)
	mac := hmac.New(sha256.New, t.salt[:])
	mac.Write(b)
	mac.Write([]byte(string(endpoint) + " " + strings.Join(slices.Compact(sources), ",")))
	return mac.Sum(nil)[:cookieSize-cookieFields]
}
