package redact

import "testing"

// Numbers that the authorities publish as examples.
func TestNationalIDs(t *testing.T) {
	set := newSet(t, Rule{Detect: []string{"national_id", "iban"}})
	for _, text := range []string{
		"078-05-1120", "ssn 123 45 6789", "AB123456C", "AB 12 34 56 D",
		"86095742719", "86 095 742 719", "47036892816", "65929970489", "12345678Z", "12345678-Z", "X1234567L", "Y-1234567-X",
		"255081416802538", "2 55 08 14 168 025 38", "2550814168025 38", "RSSMRA85T10A562S", "rssmra85t10a562s", "BSN 111222333", "bsn=111222333",
		"756.9217.0769.85", "7569217076985",
		"DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR1420041010050500013M02606", "NO93 8601 1117 947", "nl91abna0417164300", "MT84MALT011000012345MTLCAST001S",
		"BE68-5390-0754-7034", "CH93+0076+2011+6238+5295+7",
	} {
		for _, context := range [][2]string{{"", ""}, {"x ", "."}, {"(", ")"}, {"a=", "&b=1"}, {"\n", "\n"}} {
			payload := quoted(t, context[0]+text+context[1])
			if got := payloadOf(t, set, "", payload); got == payload {
				t.Errorf("%s was not found", payload)
			}
		}
	}
	for _, text := range []string{
		"000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000", "123 45 6789", "123456789", "2123-45-67890", "x-123-45-6789", "123-45-6789-1",
		"BG123456A", "DA123456A", "AB123456E", "AB123456", "xAB123456C", "AB123456CD", "AB 12 34 5 C",
		"86095742710", "11111111111", "06095742719", "12345678901", "86 095 742719",
		"12345678A", "A12345678Z", "X1234567A", "W1234567L", "12345678Zx",
		"255081416802539", "155991416802538", "2 55 08 14 168 025", "RSSMRA85T10A562T", "RSSMRA85F10A562S", "RSSMRA85T10A562SX",
		"111222333", "bsn 111222334", "757.9217.0769.85", "756.9217.0769.84",
		"DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "aDE89370400440532013000", "DE89370400440532013000x", "DE00-0000",
	} {
		payload := quoted(t, "x "+text+" y")
		if got := payloadOf(t, set, "", payload); got != payload {
			t.Errorf("%s became %s", payload, got)
		}
	}
	for _, number := range []string{"86095742719", "255081416802538", "7569217076985"} {
		payload := `{"n":` + number + `}`
		if got := payloadOf(t, set, "", payload); got != `{"n":"[redacted:national_id]"}` {
			t.Errorf("%s became %s", payload, got)
		}
	}
}
