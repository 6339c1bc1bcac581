package redact

import "testing"

func TestIP(t *testing.T) {
	set := newSet(t, Rule{Detect: []string{"ip"}, Action: "truncate"})
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.0",
		"203.0.113.7, 198.51.100.150, 10.168.0.13":  "203.0.113.0, 198.51.100.0, 10.168.0.0",
		"/203.0.113.9:8080":                         "/203.0.113.0:8080",
		"host.example.com/203.0.113.9":              "host.example.com/203.0.113.0",
		"localhost/203.0.113.9":                     "localhost/203.0.113.0",
		"pod/203.0.113.9:80":                        "pod/203.0.113.0:80",
		"http://203.0.113.9/x":                      "http://203.0.113.0/x",
		"https://a.example.com/hosts/203.0.113.9/x": "https://a.example.com/hosts/203.0.113.0/x",
		"ip%3D203.0.113.9%26x":                      "ip%3D203.0.113.0%26x",
		"from 203.0.113.9.":                         "from 203.0.113.0.",
		"203.0.113.0/24 and 203.0.113.9/24":         "203.0.113.0/24 and 203.0.113.0/24",
		"2001:db8:1:2::3":                           "2001:db8:1::",
		"[2001:db8:1:2::3]:443":                     "[2001:db8:1::]:443",
		"for=\"[2001:DB8:1:2:3:4:5:6]\"":            "for=\"[2001:db8:1::]\"",
		"fe80::1%eth0":                              "fe80::%eth0",
		"ip=2001%3Adb8%3A1%3A2%3A%3A3&x":            "ip=2001:db8:1::&x",
		"::ffff:203.0.113.9":                        "::ffff:203.0.113.0",
		"at 2001:db8::7: refused":                   "at 2001:db8::: refused",

		"127.0.0.1, 0.0.0.0 and ::1": "", "Chrome/105.0.0.0": "", "version 7.2.0.1": "", "AM 7.2.0.1": "", "v1.2.3.4": "", "openam-7.2.0.1.war": "",
		"java.version=11.0.16.1": "", "1.3.6.1.4.1.42.2.27": "", "2.5.4.3": "", "1.2.3.4=x": "", "1.2.3": "", "256.1.1.1": "", "01.2.3.4": "", "1.2.3.4-SNAPSHOT": "",
		"20:01:34": "", "00:16:3e:12:34:56": "", "00:16:3e:ff:fe:12:34:56": "", "AB:CD:EF:01:23:45:67:89:AB:CD": "", "Foo::bar": "", "abc::def": "", "urn:ietf:params:oauth": "", "a::1b::2": "",
	} {
		if want == "" {
			want = text
		}
		if got := payloadOf(t, set, "", quoted(t, text)); got != quoted(t, want) {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
