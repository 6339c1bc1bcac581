package redact

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// maker makes values of one detector: a text and the part of it that is to be found.
type maker struct {
	name  string
	json  bool // the text is a whole payload
	plain bool // it is more than one word and stands in prose and headers only
	make  func() (text, value string)
}

// values returns a maker for every detector. Check digits are computed here in another
// way than the detectors do.
func (c *corpus) values() []maker {
	same := func(f func() string) func() (string, string) {
		return func() (string, string) { v := f(); return v, v }
	}
	return []maker{
		{name: "secret_key", json: true, make: c.secretMember},
		{name: "secret_text", plain: true, make: c.secretPair},
		{name: "private_key", plain: false, make: func() (string, string) {
			body := base64.StdEncoding.EncodeToString(c.bytes(120))
			kind := c.pick("", "RSA ", "EC ", "ENCRYPTED ")
			return "-----BEGIN " + kind + "PRIVATE KEY-----\n" + body[:64] + "\n" + body[64:] + "\n-----END " + kind + "PRIVATE KEY-----", body[:64]
		}},
		{name: "jwt", plain: false, make: same(c.jwt)},
		{name: "bearer", plain: false, make: func() (string, string) { v := c.base64url(20); return c.pick("Bearer ", "bearer ", "Bearer  ") + v, v }},
		{name: "basic", plain: false, make: func() (string, string) {
			v := base64.StdEncoding.EncodeToString([]byte(c.name() + ":" + c.base64url(9)))
			return c.pick("Basic ", "basic ") + v, v
		}},
		{name: "sso_token", plain: false, make: same(c.ssoToken)},
		{name: "user_id", plain: false, make: c.userID},
		{name: "email", plain: false, make: same(c.email)},
		{name: "iban", plain: false, make: same(c.iban)},
		{name: "card", plain: false, make: same(c.card)},
		{name: "phone", plain: false, make: same(c.phone)},
		{name: "ipv4", plain: false, make: same(func() string {
			return fmt.Sprintf("%d.%d.%d.%d", c.pickInt(10, 34, 52, 81, 172, 192, 203, 212), c.IntN(256), c.IntN(256), 1+c.IntN(254))
		})},
		{name: "ipv6", plain: false, make: same(c.ipv6)},
		{name: "us_ssn", plain: false, make: same(func() string { return fmt.Sprintf("%03d-%02d-%04d", 100+c.IntN(500), 1+c.IntN(99), 1+c.IntN(9999)) })},
		{name: "uk_nino", plain: false, make: same(func() string {
			prefix, d, suffix := c.pick("AB", "CE", "HJ", "JK", "PW", "SX"), c.digits(6), c.pick("A", "B", "C", "D")
			return c.pick(prefix+d+suffix, prefix+" "+d[:2]+" "+d[2:4]+" "+d[4:]+" "+suffix)
		})},
		{name: "de_steuer_id", plain: false, make: same(c.steuerID)},
		{name: "es_dni", plain: false, make: same(c.dni)},
		{name: "fr_nir", plain: false, make: same(c.nir)},
		{name: "it_codice_fiscale", plain: false, make: same(c.codiceFiscale)},
		{name: "nl_bsn", plain: false, make: func() (string, string) {
			v := c.bsn()
			return c.pick("BSN ", "bsn: ", "bsn=", "Burgerservicenummer ") + v, v
		}},
		{name: "ch_ahv", plain: false, make: same(c.ahv)},
	}
}

func (c *corpus) pickInt(from ...int) int { return from[c.IntN(len(from))] }

func (c *corpus) name() string {
	return c.pick("bob", "alice.smith", "j.doe", "maria-luisa", "o.brien", "wei_zhang", "pia99") + c.digits(c.IntN(3))
}

func (c *corpus) word() string {
	return c.from("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789!$#", 9+c.IntN(8))
}

func (c *corpus) secretMember() (text, value string) {
	value = c.word()
	name := c.pick("password", "client_secret", "clientSecret", "newPassword", "access_token", "refresh_token", "x-openam-password", "IDToken2", "apiKey", "sessionId")
	return fmt.Sprintf(c.pick(`{"level":"INFO",%[1]q:%[2]q}`, `{"request":{"detail":{%[1]q:[%[2]q]}}}`, `{"attributes":{"a":[{%[1]q : {"x":%[2]q}}]}}`,
		`{"changes":[{"field":"/%[1]s","value":%[2]q}]}`, `{"headers":[{"name":%[1]q,"values":[%[2]q]}]}`), name, value), value
}

func (c *corpus) secretPair() (text, value string) {
	value = c.word() + "7"
	switch c.IntN(5) {
	case 0:
		return "password=" + value, value
	case 1:
		value = c.base64url(12)
		return "/cb?access_token=" + value + "&x=1", value
	case 2:
		return "<password>" + value + "</password>", value
	case 3:
		return "ldaps://admin:" + strings.NewReplacer("#", "", "!", "").Replace(value) + "@ds.example.com/x", strings.NewReplacer("#", "", "!", "").Replace(value)
	}
	return "userPassword: " + value, value
}

func (c *corpus) jwt() string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"` + c.pick("HS256", "RS256", "ES256") + `"}`))
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"` + c.name() + `","exp":` + c.digits(10) + `}`))
	if c.IntN(4) == 0 {
		return header + ".." + c.base64url(12) + "." + c.base64url(60) + "." + c.base64url(16)
	}
	return header + "." + claims + "." + c.base64url(32)
}

func (c *corpus) ssoToken() string {
	if c.IntN(2) == 0 {
		return "AQIC5w" + c.base64url(40)
	}
	return c.base64url(20) + ".*AAJTSQACMDIAAlNLABx" + c.base64url(20) + ".*"
}

func (c *corpus) userID() (text, value string) {
	value = c.pick(c.uuid(), c.name())
	return c.pick("id="+value+",ou=user,ou=am-config", "fr-idm-uuid="+value+",ou=people,o=root,ou=identities", "uid="+value+", ou=people,dc=example",
		"managed/alpha_user/"+value, "/openidm/managed/bravo_user/"+value+"?_fields=*", "managed/user/"+value+"/_meta"), value
}

func (c *corpus) email() string {
	return c.pick(c.name(), c.name()+"+tag", "J"+c.digits(2)) + "@" + c.pick("example.com", "mail.example.co.uk", "x-y.example.org", "163.com", "example.museum")
}

// ibanOf puts the check number before a body.
func ibanOf(country, body string) string {
	var b strings.Builder
	for _, r := range body + country + "00" {
		if r >= 'A' {
			b.WriteString(strconv.Itoa(int(r-'A') + 10))
		} else {
			b.WriteRune(r)
		}
	}
	n, _ := new(big.Int).SetString(b.String(), 10)
	rest := new(big.Int).Mod(n, big.NewInt(97)).Int64()
	return fmt.Sprintf("%s%02d%s", country, 98-rest, body)
}

func groupsOf(text string, size int, sep string) string {
	var parts []string
	for len(text) > size {
		parts, text = append(parts, text[:size]), text[size:]
	}
	return strings.Join(append(parts, text), sep)
}

func (c *corpus) iban() string {
	var v string
	switch c.IntN(5) {
	case 0:
		v = ibanOf("DE", c.digits(18))
	case 1:
		v = ibanOf("GB", c.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4)+c.digits(14))
	case 2:
		v = ibanOf("NL", c.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4)+c.digits(10))
	case 3:
		v = ibanOf("FR", c.digits(10)+c.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 11)+c.digits(2))
	default:
		v = ibanOf("NO", c.digits(11))
	}
	switch c.IntN(4) {
	case 0:
		return groupsOf(v, 4, " ")
	case 1:
		return groupsOf(v, 4, "-")
	}
	return v
}

// luhnOf appends the check digit.
func luhnOf(body string) string {
	for check := range 10 {
		sum, number := 0, body+strconv.Itoa(check)
		for i := range number {
			d := int(number[len(number)-1-i] - '0')
			if i%2 == 1 {
				d = []int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}[d]
			}
			sum += d
		}
		if sum%10 == 0 {
			return number
		}
	}
	panic("no check digit")
}

func (c *corpus) card() string {
	if c.IntN(5) == 0 {
		v := luhnOf(c.pick("34", "37") + c.digits(12))
		return c.pick(v, v[:4]+" "+v[4:10]+" "+v[10:])
	}
	prefix := c.pick("4", "51", "55", "2221", "6011", "3530", "62")
	v := luhnOf(prefix + c.digits(15-len(prefix)))
	return c.pick(v, groupsOf(v, 4, " "), groupsOf(v, 4, "-"))
}

func (c *corpus) phone() string {
	n := func(k int) string { return c.from("123456789", 1) + c.digits(k-1) }
	area := func() string { return c.from("23456789", 1) + c.digits(2) }
	return c.pick("+49 30 "+n(7), "+44 20 "+n(4)+" "+n(4), "+1-"+area()+"-"+area()+"-"+n(4), "+"+c.pick("33", "34", "39")+n(9),
		"("+area()+") "+area()+"-"+n(4), area()+"-"+area()+"-"+n(4), "0049 30 "+n(7), "+1 ("+area()+") "+area()+"-"+n(4))
}

func (c *corpus) ipv6() string {
	h := func() string { return fmt.Sprintf("%x", 256+c.IntN(65000)) }
	return c.pick("2001:db8:"+h()+":"+h()+"::"+h(), "2a02:"+h()+":"+h()+":"+h()+":"+h()+":"+h()+":"+h()+":"+h(), "fe80::"+h()+":"+h()+":"+h()+":"+h(), "2001:DB8::"+c.digits(1)+"1",
		"::ffff:203.0.113."+fmt.Sprint(1+c.IntN(254)))
}

// steuerID tries numbers until all conditions are met.
func (c *corpus) steuerID() string {
	for {
		body := c.from("123456789", 1) + c.digits(9)
		seen := map[rune]int{}
		for _, r := range body {
			seen[r]++
		}
		doubles, more := 0, 0
		for _, n := range seen {
			if n == 2 || n == 3 {
				doubles++
			}
			if n > 3 {
				more++
			}
		}
		if doubles != 1 || more > 0 {
			continue
		}
		p := 10
		for _, r := range body {
			s := (int(r-'0') + p) % 10
			if s == 0 {
				s = 10
			}
			p = 2 * s % 11
		}
		check := 11 - p
		if check == 10 {
			check = 0
		}
		v := body + strconv.Itoa(check)
		return c.pick(v, v[:2]+" "+v[2:5]+" "+v[5:8]+" "+v[8:])
	}
}

func (c *corpus) dni() string {
	const letters = "TRWAGMYFPDXBNJZSQVHLCKE"
	if c.IntN(3) == 0 {
		first, d := c.IntN(3), c.digits(7)
		n, _ := strconv.Atoi(strconv.Itoa(first) + d)
		return "XYZ"[first:first+1] + c.pick(d+letters[n%23:n%23+1], "-"+d+"-"+letters[n%23:n%23+1])
	}
	d := c.digits(8)
	n, _ := strconv.Atoi(d)
	return d + c.pick("", "-") + letters[n%23:n%23+1]
}

func (c *corpus) nir() string {
	body := fmt.Sprintf("%d%02d%02d%02d%03d%03d", 1+c.IntN(2), c.IntN(100), 1+c.IntN(12), 1+c.IntN(95), 1+c.IntN(900), 1+c.IntN(998))
	n, _ := strconv.Atoi(body)
	key := fmt.Sprintf("%02d", 97-n%97)
	return c.pick(body+key, body+" "+key, fmt.Sprintf("%s %s %s %s %s %s %s", body[:1], body[1:3], body[3:5], body[5:7], body[7:10], body[10:], key))
}

func (c *corpus) codiceFiscale() string {
	const consonants = "BCDFGLMNPRSTVZ"
	body := c.from(consonants, 6) + c.digits(2) + c.pick("A", "B", "C", "D", "E", "H", "L", "M", "P", "R", "S", "T") +
		fmt.Sprintf("%02d", 1+c.IntN(28)+40*c.IntN(2)) + c.pick("A", "F", "H", "L", "Z") + c.digits(3)
	odd := map[byte]int{'0': 1, '1': 0, '2': 5, '3': 7, '4': 9, '5': 13, '6': 15, '7': 17, '8': 19, '9': 21, 'A': 1, 'B': 0, 'C': 5, 'D': 7, 'E': 9, 'F': 13, 'G': 15, 'H': 17,
		'I': 19, 'J': 21, 'K': 2, 'L': 4, 'M': 18, 'N': 20, 'O': 11, 'P': 3, 'Q': 6, 'R': 8, 'S': 12, 'T': 14, 'U': 16, 'V': 10, 'W': 22, 'X': 25, 'Y': 24, 'Z': 23}
	sum := 0
	for i := range body {
		switch {
		case i%2 == 0:
			sum += odd[body[i]]
		case body[i] <= '9':
			sum += int(body[i] - '0')
		default:
			sum += int(body[i] - 'A')
		}
	}
	return body + string(rune('A'+sum%26))
}

func (c *corpus) bsn() string {
	for {
		v := c.from("123456789", 1) + c.digits(8)
		sum := 0
		for i, weight := range []int{9, 8, 7, 6, 5, 4, 3, 2, -1} {
			sum += weight * int(v[i]-'0')
		}
		if sum%11 == 0 {
			return v
		}
	}
}

func (c *corpus) ahv() string {
	body := "756" + c.digits(9)
	for check := range 10 {
		sum := check
		for i := range body {
			d := int(body[i] - '0')
			if i%2 == 1 {
				d *= 3
			}
			sum += d
		}
		if sum%10 == 0 {
			v := body + strconv.Itoa(check)
			return c.pick(v, v[:3]+"."+v[3:7]+"."+v[7:11]+"."+v[11:])
		}
	}
	panic("no check digit")
}
