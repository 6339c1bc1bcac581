package redact

import (
	"strconv"
	"testing"
)

func TestCard(t *testing.T) {
	testTexts(t, []textCase{
		{"visa", `4111111111111111`, `[redacted:card]`},
		{"visa of 13", `pan 4222222222222.`, `pan [redacted:card].`},
		{"visa of 19", `4000000000000000006`, `[redacted:card]`},
		{"spaces", `card 4111 1111 1111 1111, cvc`, `card [redacted:card], cvc`},
		{"dashes", `5555-5555-5555-4444`, `[redacted:card]`},
		{"plus", `pan=4111+1111+1111+1111&x=1`, `pan=[redacted:card]&x=1`},
		{"amex", `3782 822463 10005`, `[redacted:card]`},
		{"amex in one", `378282246310005`, `[redacted:card]`},
		{"diners", `3056 930902 5904`, `[redacted:card]`},
		{"diners 36", `36227206271667`, `[redacted:card]`},
		{"discover", `6011111111111117`, `[redacted:card]`},
		{"jcb", `3530111333300000`, `[redacted:card]`},
		{"unionpay", `6200000000000005`, `[redacted:card]`},
		{"mastercard 2", `2223003122003222`, `[redacted:card]`},
		{"maestro", `6759649826438453`, `[redacted:card]`},
		{"path", `/cards/4111111111111111/limits`, `/cards/[redacted:card]/limits`},
		{"url escape", `number%3D4111111111111111%26`, `number%3D[redacted:card]%26`},
		{"with security code", `4111 1111 1111 1111 123`, `[redacted:card] 123`},
		{"second group", `1234 4111 1111 1111 1111`, `1234 [redacted:card]`},
		{"two", `4111111111111111,5555555555554444`, `[redacted:card],[redacted:card]`},
		{"json", `{"pan":"4111111111111111"}`, `{"pan":"[redacted:card]"}`},
		{"escaped newline in json", `{"a":"x\n4111111111111111"}`, `{"a":"x\n[redacted:card]"}`},

		{"check digit", `4111111111111112`, ``},
		{"no network", `1111111111111117`, ``},
		{"transaction", `1664994108247-9f138d8fc9f59d23164c-26466/0`, ``},
		{"uuid", `45463f84-ff1b-499f-aa84-8d4bd93150de-256203`, ``},
		{"uuid of digits", `41111111-1111-4111-8111-411111111111`, ``},
		{"milliseconds", `1664994108247`, ``},
		{"nanoseconds", `1664994108247000000`, ``},
		{"longer", `41111111111111114111`, ``},
		{"in a word", `x4111111111111111`, ``},
		{"in an id", `id-4111111111111111`, ``},
		{"before a suffix", `4111111111111111-1`, ``},
		{"underscore", `4111111111111111_1`, ``},
		{"fraction", `0.4111111111111111`, ``},
		{"span", `a91f84e1ed052413a430f3f2395eac6b/4137913779073600273;o=1`, ``},
		{"decimal", `4111111111111111.5`, ``},
		{"mixed separators", `4111-1111 1111-1111`, ``},
		{"double spaces", `4111  1111  1111  1111`, ``},
		{"date and time", `2022-12-05 2001 3444`, ``},
	})
}

func TestCardNumberInJSON(t *testing.T) {
	for payload, want := range map[string]string{
		`{"pan":4111111111111111}`:             `{"pan":"[redacted:card]"}`,
		`{"pans":[4111111111111111, 1]}`:       `{"pans":["[redacted:card]", 1]}`,
		`{"time":1664994108247,"n":-1.5e+300}`: ``,
		`{"n":-4111111111111111}`:              ``,
		`{"n":4111111111111111.0}`:             ``,
		`{"n":41111111111111114111111111}`:     ``,
	} {
		if want == "" {
			want = payload
		}
		if got := redactPayload(t, PresetDefault, payload); got != want {
			t.Errorf("%s\n  got %s\n want %s", payload, got, want)
		}
	}
}

func TestLuhn(t *testing.T) {
	for check := range 10 {
		number := "411111111111111" + strconv.Itoa(check)
		if got, want := luhn([]byte(number)), check == 1; got != want {
			t.Errorf("luhn(%s) = %v", number, got)
		}
	}
}
