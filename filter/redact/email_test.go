package redact

import "testing"

func TestEmail(t *testing.T) {
	testTexts(t, []textCase{
		{"alone", `bob@example.com`, `[redacted:email]`},
		{"sentence", `Mail sent to Bob.Smith+tag@mail.example.co.uk.`, `Mail sent to [redacted:email].`},
		{"angle brackets", `Bob <bob@example.com>, Eve <eve@example.org>`, `Bob <[redacted:email]>, Eve <[redacted:email]>`},
		{"single quotes", `user 'bob@example.com' not found`, `user '[redacted:email]' not found`},
		{"apostrophe", `o'brien@example.com`, `[redacted:email]`},
		{"dn", `id=bob@example.com,ou=user,ou=am-config`, `id=[redacted:email],ou=user,ou=am-config`},
		{"path", `managed/alpha_user/bob@example.com/roles`, `managed/alpha_user/[redacted:email]/roles`},
		{"query filter", `userName eq "bob@example.com"`, `userName eq "[redacted:email]"`},
		{"url", `https://idm/openidm/managed?mail=bob%40example.com&_fields=sn`, `https://idm/openidm/managed?mail=[redacted:email]&_fields=sn`},
		{"url in url", `goto=https%3A%2F%2Fa%2Fb%3Fmail%3Dbob%2Btag%40example.com%26x%3D1`, `goto=https%3A%2F%2Fa%2Fb%3Fmail%3D[redacted:email]%26x%3D1`},
		{"json in string", `{"mail":"bob\u0040example.com"}`, `{"mail":"[redacted:email]"}`},
		{"after an escape in a json string", `{"msg":"hello\nbob@example.com"}`, `{"msg":"hello\n[redacted:email]"}`},
		{"json in json", `{"b":"{\"msg\":\"hello\\nbob@example.com\"}"}`, `{"b":"{\"msg\":\"hello\\n[redacted:email]\"}"}`},
		{"escaped in json in json", `{"b":"{\"mail\":\"bob\\u0040example.com\"}"}`, `{"b":"{\"mail\":\"[redacted:email]\"}"}`},
		{"idn", `büro@müller.de`, `[redacted:email]`},
		{"punycode", `a@b.xn--p1ai`, `[redacted:email]`},
		{"glued to a date", `bob@example.com2022-10-05`, `[redacted:email]2022-10-05`},
		{"numeric provider", `wang@163.com`, `[redacted:email]`},
		{"log4j", `[bob@example.com]`, `[[redacted:email]]`},

		{"object", `org.forgerock.openam.Foo@6d06d69c`, ``},
		{"lambda", `Handlers$$Lambda$14@1a2b3c4d`, ``},
		{"no domain", `root@localhost`, ``},
		{"address", `root@10.168.0.8`, ``},
		{"image", `logo@2x.png`, ``},
		{"version", `lodash@4.17.21.tgz`, ``},
		{"annotation", `@Override public`, ``},
		{"no local part", `see @example.com`, ``},
		{"dots only", `..@example.com`, ``},
	})
}
