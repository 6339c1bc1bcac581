package redact

// Markers stand where something was taken out. Sinks and searches rely on them.
const (
	markerSecret = "[redacted:secret]"
	markerToken  = "[redacted:token]"
	markerJWT    = "[redacted:jwt]"
	markerEmail  = "[redacted:email]"
	markerPhone  = "[redacted:phone]"
	markerCard   = "[redacted:card]"
	markerIBAN   = "[redacted:iban]"
	markerIP     = "[redacted:ip]"
	markerUser   = "[redacted:user_id]"
	markerID     = "[redacted:national_id]"
)

// group says which presets a detector belongs to.
type group int

const (
	secret   group = iota // secrets, default, gdpr
	personal              // default, gdpr
	gdpr                  // gdpr
)

// gate says at which runs of digits a detector is tried.
type gate int

const (
	// longRun: runs as long as a card number, and those before a separator that have
	// three digits or begin with 0: others are days, hours, parts of addresses.
	longRun gate = 1 << iota
	// anyRun: every run at the beginning of a word that has one of the lengths in runs.
	anyRun
	// afterLetter: every run with a letter before it.
	afterLetter
	// afterLetters: every run with two letters before it.
	afterLetters
)

// detector is one line of the table: something that has a form.
type detector struct {
	// name is its name in "detect" and the value of the label "rule" in metrics;
	// it is permanent.
	name string
	// marker is what replaces a match by default.
	marker string
	group  group
	// joinable makes the preset gdpr hash it if there are keys.
	joinable bool
	// triggers are the bytes at which find is tried. They must be rare in logs:
	// everything else is skipped without a call.
	triggers string
	// prev, if set, is the letter in lower case that stands before every trigger.
	prev byte
	// digits makes find be tried at the first digit of runs of digits.
	digits gate
	runs   []int // see anyRun
	// find looks for a match at the trigger t[i]. It looks back no further than
	// lo, where the previous match ended, and must be cheap when it fails.
	find func(t []byte, i, lo int) match
	// number reports whether a whole JSON number, digits only, is a match.
	number func(digits []byte) bool

	// The actions beyond mask, remove and hash that the detector offers. Each
	// appends what becomes of a match, which the detector must not find again, or
	// of which it must make the same again.
	partial  func(dst, match []byte) []byte
	truncate func(dst, match []byte) []byte
	tokenise func(dst, match []byte, s *stream) []byte

	// pattern is the expression of an own rule, which is searched by itself.
	pattern *pattern
}

// match is the part of a text that a detector wants replaced; none if end is 0.
type match struct {
	start, end int
	// quote is put before and after the marker. It keeps JSON inside a string
	// valid when a number or an object in it is replaced. It is a part of the text.
	quote []byte
}

// The places of two detectors in the table that the walk over the JSON uses by
// itself.
const (
	detectSecretKey = iota
	detectSecretText
)

// table lists the detectors. Where two match at the same byte, the earlier one wins.
func table() []detector {
	return []detector{
		detectSecretKey:  {name: "secret_key", marker: markerSecret},
		detectSecretText: {name: "secret_text", marker: markerSecret, triggers: "=:>@%\\", find: findSecretText},
		{name: "private_key", marker: markerSecret, triggers: " +%", prev: 'n', find: findPrivateKey},
		{name: "jwt", marker: markerJWT, triggers: "J", prev: 'y', find: findJWT},
		{name: "bearer", marker: markerToken, triggers: " +%", prev: 'r', find: findBearer},
		{name: "basic", marker: markerSecret, triggers: " +%", prev: 'c', find: findBasic},
		{name: "sso_token", marker: markerToken, triggers: "Q*%", find: findSSOToken},
		{name: "user_id", marker: markerUser, group: gdpr, joinable: true, triggers: "/,%", find: findUserID},
		{name: "email", marker: markerEmail, group: personal, triggers: "@%\\", find: findEmail, partial: partialEmail},
		{name: "iban", marker: markerIBAN, group: personal, digits: afterLetters, find: findIBAN, partial: partialIBAN, tokenise: tokeniseIBAN},
		{name: "card", marker: markerCard, group: personal, digits: longRun, find: findCard, number: isCard, partial: partialLastFour, tokenise: tokeniseCard},
		{name: "phone", marker: markerPhone, group: personal, triggers: "+%", digits: longRun, find: findPhone, partial: partialPhone, tokenise: tokenisePhone},
		{name: "ipv4", marker: markerIP, group: gdpr, digits: anyRun, runs: []int{1, 2, 3}, find: findIPv4, truncate: truncateIPv4},
		{name: "ipv6", marker: markerIP, group: gdpr, triggers: ":%", find: findIPv6, truncate: truncateIPv6},
		{name: "us_ssn", marker: markerID, group: gdpr, digits: anyRun, runs: []int{3}, find: findSSN, partial: partialLastFour},
		{name: "uk_nino", marker: markerID, group: gdpr, digits: anyRun | afterLetters, runs: []int{2, 6}, find: findNINO},
		{name: "de_steuer_id", marker: markerID, group: gdpr, digits: anyRun, runs: []int{2, 11}, find: findSteuerID, number: isSteuerID},
		{name: "es_dni", marker: markerID, group: gdpr, digits: anyRun | afterLetter, runs: []int{7, 8}, find: findDNI},
		{name: "fr_nir", marker: markerID, group: gdpr, digits: anyRun, runs: []int{1, 13, 15}, find: findNIR, number: isNIR},
		{name: "it_codice_fiscale", marker: markerID, group: gdpr, digits: afterLetters, find: findCodiceFiscale},
		{name: "nl_bsn", marker: markerID, group: gdpr, digits: anyRun, runs: []int{9}, find: findBSN},
		{name: "ch_ahv", marker: markerID, group: gdpr, digits: anyRun, runs: []int{3, 13}, find: findAHV, number: isAHV},
	}
}

// byPreset returns the detector's action under a preset; 0 is none.
func (d *detector) byPreset(p preset, hasKeys bool) Action {
	switch {
	case d.group == secret && p >= presetSecrets:
		return Mask
	case d.group == personal && p >= presetDefault:
		return Mask
	case d.group == gdpr && p >= presetGDPR:
		if d.truncate != nil {
			return Truncate
		}
		if d.joinable && hasKeys {
			return Hash
		}
		return Mask
	}
	return none
}
