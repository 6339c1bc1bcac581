package redact

import (
	"strings"
	"testing"
	"time"

	"aictail"
)

// TestNoBlowUp: a text that is nothing but beginnings of findings takes no more than time
// in proportion to its length. Whoever can make a system log something could hold up
// its source otherwise.
func TestNoBlowUp(t *testing.T) {
	const (
		size = 300_000
		most = 3 * time.Second // it takes some milliseconds; what is quadratic takes ten times as long
	)
	r := newSet(t, Rule{Preset: PresetGDPR}, Rule{Keys: []string{"xy"}}, Rule{Pattern: `CUST-\d+`}).NewRedactor()
	for _, piece := range []string{
		"4111 ", "4", "1:", "::1", "a:", "id=", "id=,", "id=a,ou=user", "managed/alpha_user/", "managed/", "@", "a@", "a@b.", "=", "password=", "password=[",
		"password='", `{"password":{`, "eyJhbGciOiJub25lIn0.", "eyJ", "Bearer ", "AQIC", "*AAJ", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "%3D", `\`, `\"`, `\\`,
		"+1", "+49 ", "(415) ", "1.2.", "10.0.0.", "AB12", "DE12", "DE44 ", "bsn 1", "bsn 111222334 ", "[redacted:", "[hash:k1:", "xy=", "cookie: a=b", "https://a:",
		"<password>", "a.b.c.d.", "12 34 ", "a/", "x,", "CUST-", "CUST-1",
	} {
		raw := []byte(`{"payload":` + quoted(t, strings.Repeat(piece, size/len(piece))) + `}`)
		begin := time.Now()
		if _, _, err := r.Append(nil, raw, aictail.Span{}, "am-core"); err != nil {
			t.Errorf("%q: %v", piece, err)
		}
		if took := time.Since(begin); took > most {
			t.Errorf("%q, %d times: took %s", piece, size/len(piece), took)
		}
	}
}
