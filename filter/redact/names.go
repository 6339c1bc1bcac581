package redact

// nameKind says how to treat the value that a name announces in free text. In
// JSON every kind but notSecret loses its value.
type nameKind int

const (
	notSecret nameKind = iota
	// password: whatever follows is secret, for a password can look like a word.
	password
	// token: random characters. In prose ("token: not found") what follows may
	// be a word, which stays.
	token
	// authorization: a scheme and its credentials.
	authorization
	// cookie: pairs up to the end of the line.
	cookie
	// code: an OAuth 2.0 authorization code, if it is a parameter of a URL. In
	// JSON the same name stands for an error code.
	code
)

// maxName is the length beyond which a name is looked at by its end only.
const maxName = 48

// secretName classifies the name of a key, header or parameter. It ignores case,
// separators (client-secret, clientSecret, client_secret, Login.Token1) and
// digits at the end. Names end with what they are (userPassword, but
// passwordChanged), so most secrets are recognised by the end of the name.
func secretName(name []byte) nameKind {
	for len(name) > 0 && isDigit(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	if len(name) < 3 || !endsLikeSecret(name) {
		return notSecret
	}
	var folded [maxName]byte
	at := maxName
	for i := len(name) - 1; i >= 0 && at > 0; i-- {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.' || c == ' ':
		case c-'A' < 26:
			at--
			folded[at] = c | 0x20
		default:
			at--
			folded[at] = c
		}
	}
	return foldedName(folded[at:])
}

// endsLikeSecret is a quick test on the last three letters of a name, which most keys of
// log events fail. A separator may stand before the last two.
func endsLikeSecret(name []byte) bool {
	n := len(name)
	before, a, b := name[n-3]|0x20, name[n-2]|0x20, name[n-1]|0x20
	ends := ""
	switch b {
	case 'd':
		ends = "ord swd pwd nid"
	case 'e':
		ends = "nse ase ode kie dle"
	case 't':
		ends = "ret int jwt"
	case 'n':
		ends = "ken ion pin"
	case 's':
		ends = "rds ets ens als ies ass eys des ers"
	case 'y':
		ends = "key"
	case 'r':
		ends = "rer ier wer"
	case 'l':
		ends = "ial"
	case 'p':
		ends = "otp"
	case 'o':
		ends = "pro nfo"
	case 'h':
		ends = "ash"
	case 'v':
		ends = "cvv"
	case 'c':
		ends = "cvc"
	}
	separated := isSeparator(name[n-3])
	for k := 0; k+2 < len(ends); k += 4 {
		if ends[k+1] == a && (ends[k] == before || separated) {
			return true
		}
	}
	return false
}

// foldedName looks up a name in lower case and without separators.
func foldedName(name []byte) nameKind {
	switch string(name) {
	case "authorization", "proxyauthorization", "xauthorization":
		return authorization
	case "cookie", "cookies", "setcookie":
		return cookie
	case "code":
		return code
	case "pass", "otp", "totp", "hotp", "pin", "cvv", "cvc",
		"tokens", "idtokenhint", "bearer", "jwt", "sessionjwt", "sessionhandle", "sessionid", "jsessionid",
		"iplanetdirectorypro", "credential", "credentials", "assertion", "clientassertion",
		"samlassertion", "samlresponse", "codeverifier", "devicecode", "usercode",
		"authorizationcode", "authcode", "verificationcode", "recoverycode", "recoverycodes",
		"kbainfo", "securityanswer", "securityanswers":
		return token
	}
	var ends [5]string
	kind := password
	switch name[len(name)-1] {
	case 'd':
		if hasSuffix(name, "tokenid") {
			return token
		}
		ends = [5]string{"password", "passwd", "pwd"}
	case 'e':
		ends = [5]string{"passphrase", "passcode"}
	case 't':
		ends = [5]string{"secret"}
	case 's':
		ends = [5]string{"passwords", "secrets", "apikeys"}
	case 'h':
		ends = [5]string{"passwordhash"}
	case 'n':
		kind, ends = token, [5]string{"token"}
	case 'y':
		if hasSuffix(name, "apikey") || hasSuffix(name, "privatekey") {
			return token
		}
		kind, ends = token, [5]string{"secretkey", "signingkey", "encryptionkey", "accesskey", "sharedkey"}
	}
	for _, end := range ends {
		if end != "" && hasSuffix(name, end) {
			return kind
		}
	}
	return notSecret
}

func hasSuffix(name []byte, end string) bool {
	return len(name) >= len(end) && string(name[len(name)-len(end):]) == end
}

// isPairName reports whether the key says what its neighbour "value" is: in
// lists of headers, of callbacks' inputs and of patch operations.
func isPairName(key []byte) bool {
	switch string(key) {
	case "name", "key", "field", "header", "param", "parameter", "attribute":
		return true
	}
	return false
}

func isPairValue(key []byte) bool {
	return string(key) == "value" || string(key) == "values"
}

// isSecretKey reports whether the value under a key of JSON is secret.
func isSecretKey(key []byte) bool {
	kind := secretName(key)
	return kind != notSecret && kind != code
}

// isNothing reports whether a value says that there is none, or was masked by
// whoever wrote the log.
func isNothing(value []byte) bool {
	switch len(value) {
	case 0:
		return true
	case 4, 5, 6:
		for _, word := range [...]string{"null", "true", "false", "(null)"} {
			if len(value) == len(word) && hasFold(value, 0, word) {
				return true
			}
		}
	}
	for _, c := range value {
		if c != '*' {
			return false
		}
	}
	return true
}
