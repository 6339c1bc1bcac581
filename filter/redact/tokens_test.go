package redact

import (
	"strings"
	"testing"
)

const (
	signedToken    = `eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl_-x`
	encryptedToken = `eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0..aXZpdg.Y2lwaGVydGV4dA.dGFn`
	olderSSOToken  = `AQIC5wM2LY4SfczvdY8RbZ7XKaQUKkN4V2Gpx1OkXO9c`
	newerSSOToken  = `ow7VXcBzBlxVblR5RwQ8LkYmHmU.*AAJTSQACMDIAAlNLABxHVk1.*`
)

func TestJWT(t *testing.T) {
	testTexts(t, []textCase{
		{"signed", `got ` + signedToken + `.`, `got [redacted:jwt].`},
		{"encrypted", encryptedToken, `[redacted:jwt]`},
		{"unsigned", `eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ. x`, `[redacted:jwt] x`},
		{"cut off", `eyJhbGciOiJub25lIn0.eyJzdWIiOiJi`, `[redacted:jwt]`},
		{"glued", `x_` + signedToken, `x_[redacted:jwt]`},
		{"quoted", `"` + signedToken + `"`, `"[redacted:jwt]"`},
		{"class", `com.example.keyJournalFactory.create.now`, ``},
		{"header alone", `eyJhbGciOiJub25lIn0`, ``},
		{"not json", `eyJavaClassName.foo.bar`, ``},
	})
}

func TestBearerAndBasic(t *testing.T) {
	testTexts(t, []textCase{
		{"opaque", `using Bearer x8Ad_-KFsLBcjEoOLzvGqxcR9lM for`, `using Bearer [redacted:token] for`},
		{"lower case", `bearer 2YotnFZFEjr1zCsicMWpAA==`, `bearer [redacted:token]`},
		{"upper case", `BEARER 2YotnFZFEjr1zCsicMWpAA.`, `BEARER [redacted:token].`},
		{"jwt", `Bearer ` + signedToken, `Bearer [redacted:jwt]`},
		{"url", `h=Bearer%202YotnFZFEjr1zCsicMWpAA&x`, `h=Bearer%20[redacted:token]&x`},
		{"form", `h=Bearer+2YotnFZFEjr1zCsicMWpAA&x`, `h=Bearer+[redacted:token]&x`},
		{"basic", `sent Basic Ym9iOnBhc3N3b3Jk`, `sent Basic [redacted:secret]`},
		{"basic padded", `basic dXNlcjpwYXNzd29yZDE=`, `basic [redacted:secret]`},

		{"prose", `Bearer token expired`, ``},
		{"prose 2", `uses bearer authentication`, ``},
		{"class", `Bearer TokenAuthenticationFilter`, ``},
		{"challenge", `Bearer realm="idm", error="invalid_token"`, ``},
		{"basic prose", `Basic authentication failed`, ``},
		{"basic realm", `Basic realm="x"`, ``},
		{"forbearer", `forbearer 2YotnFZFEjr1zCsicMWpAA`, ``},
	})
}

func TestSSOToken(t *testing.T) {
	testTexts(t, []textCase{
		{"older", `session ` + olderSSOToken + ` ended`, `session [redacted:token] ended`},
		{"older with site", olderSSOToken + `=@AAJTSQACMDE=#`, `[redacted:token]`},
		{"older escaped", olderSSOToken + `%3D%40AAJTSQACMDE%3D%23`, `[redacted:token]`},
		{"newer", `session ` + newerSSOToken, `session [redacted:token]`},
		{"newer escaped", `x=` + strings.ReplaceAll(newerSSOToken, "*", "%2A"), `x=[redacted:token]`},
		{"word", `AQIC is how they begin`, ``},
		{"stars", `a *AAJ* b`, ``},
	})
}

func TestPrivateKey(t *testing.T) {
	pem := "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAA==\n-----END RSA PRIVATE KEY-----"
	testTexts(t, []textCase{
		{"whole", "key:\n" + pem + "\nthen", "key:\n[redacted:secret]\nthen"},
		{"cut off", "-----BEGIN PRIVATE KEY-----\nMIIEow", "[redacted:secret]"},
		{"form", "k=-----BEGIN+RSA+PRIVATE+KEY-----%0AMIIEow%0A-----END+RSA+PRIVATE+KEY-----&x", "k=[redacted:secret]&x"},
		{"certificate", "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----", ""},
	})
}
