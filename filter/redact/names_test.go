package redact

import "testing"

func TestSecretNames(t *testing.T) {
	for _, name := range []string{
		"password", "Password", "PASSWORD", "passwd", "pwd", "userPassword", "old_password", "x-openam-password",
		"X-OpenIDM-Password", "trustStorePassword", "password2", "secret", "client_secret", "clientSecret", "client-secret",
		"api_key", "apikey", "apiKey", "x-api-key", "x-api-secret", "access_token", "accessToken", "refresh_token",
		"id_token", "id_token_hint", "token", "tokenId", "sessionUpgradeSSOTokenId", "IDToken1", "IDToken2", "Login.Token1",
		"authorization", "Authorization", "Proxy-Authorization", "cookie", "Cookie", "Set-Cookie", "cookies",
		"iPlanetDirectoryPro", "session-jwt", "private_key", "privateKey", "passphrase", "credential", "credentials",
		"code_verifier", "client_assertion", "assertion", "SAMLResponse", "otp", "device_code", "user_code",
		"recoveryCodes", "kbaInfo", "securityAnswer",
		"aVeryLongPrefixThatGoesOnForMoreThanFortyEightBytes.password",
	} {
		if !isSecretKey([]byte(name)) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range []string{
		"", "_", "1", "passwordChanged", "token_type", "token_type_hint", "tokenType", "grant_type", "scope", "secure",
		"authLevel", "authIndex", "trackingIds", "transactionId", "_id", "objectId", "moduleId", "userId", "client",
		"component", "operation", "exception", "revision", "message", "principal", "client_assertion_type",
		"code", "statusCode", "code_challenge", "key", "publicKey", "sunxmlKeyValue", "amlbcookie", "session",
		"author", "passed", "secretary", "userName", "x-forwarded-for", "user-agent", "loggedIn", "entries", "redirect_uri",
		"headers", "modes", "answer", "info", "userInfo",
	} {
		if isSecretKey([]byte(name)) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

func TestSecretKeys(t *testing.T) {
	for payload, want := range map[string]string{
		`{"password":"hunter2","x":1}`:                        `{"password":"[redacted:secret]","x":1}`,
		`{ "password" : "hunter2" , "x":1}`:                   `{ "password" : "[redacted:secret]" , "x":1}`,
		`{"pin":1234}`:                                        `{"pin":"[redacted:secret]"}`,
		`{"pin":-1.5e3,"x":[]}`:                               `{"pin":"[redacted:secret]","x":[]}`,
		`{"authorization":["Bearer x","y"],"host":["am"]}`:    `{"authorization":"[redacted:secret]","host":["am"]}`,
		`{"credentials":{"a":{"b":"}"},"c":[1,"]"]},"x":"y"}`: `{"credentials":"[redacted:secret]","x":"y"}`,
		`{"\u0070assword":"x"}`:                               `{"\u0070assword":"[redacted:secret]"}`,
		`{"password":"a\"b\\","x":1}`:                         `{"password":"[redacted:secret]","x":1}`,
		`{"a":[{"token":"x"},{"token":"y"}]}`:                 `{"a":[{"token":"[redacted:secret]"},{"token":"[redacted:secret]"}]}`,

		`{"password":null,"token":true,"secret":false,"pwd":"","apikey":[],"cookie":{ }}`: ``,
		`{"passwordChanged":false,"token_type_hint":"access_token","scope":"fr:idm:*"}`:   ``,
		`{"changedFields":["/password"],"message":"LOADED SECRET TO ESV"}`:                ``,
		`{"code":401,"status":{"code":"INVALID_CREDENTIALS_ERROR"}}`:                      ``,

		`{"name":"IDToken2","value":"hunter"}`:                                         `{"name":"IDToken2","value":"[redacted:secret]"}`,
		`{"field":"/password","operation":"replace","value":"x"}`:                      `{"field":"/password","operation":"replace","value":"[redacted:secret]"}`,
		`[{"name":"Authorization","values":["x"]},{"name":"Host","values":["x"]}]`:     `[{"name":"Authorization","values":"[redacted:secret]"},{"name":"Host","values":["x"]}]`,
		`{"name":"password","nested":{"name":"x","value":"y"},"value":"z"}`:            `{"name":"password","nested":{"name":"x","value":"y"},"value":"[redacted:secret]"}`,
		`[{"name":"password"},{"value":"y"},{"name":"esv-secret-thing","value":"y"}]`:  ``,
		`[{"name":"password","name":"x","value":"y"},{"name":"policy","value":"y"},1]`: ``,

		`{"bob@example.com":1,"eve@example.com":2,"x":{"+14155552671":3}}`: `{"[redacted:email]":1,"2#[redacted:email]":2,"x":{"3#[redacted:phone]":3}}`,
		`{"bob\u0040example.com":"x"}`:                                     `{"[redacted:email]":"x"}`,
	} {
		if want == "" {
			want = payload
		}
		if got := redactPayload(t, PresetDefault, payload); got != want {
			t.Errorf("%s\n  got %s\n want %s", payload, got, want)
		}
	}
}
