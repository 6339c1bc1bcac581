package elasticsearch

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	tests := map[string]struct {
		cfg   Config
		shown []string // what no text may show
	}{
		"password":    {Config{Username: "elastic", Password: "Zq7-password"}, []string{"Zq7-password", "ZWxhc3RpYzpacTctcGFzc3dvcmQ="}},
		"key":         {Config{APIKey: "id-1:Zq7-key"}, []string{"id-1:Zq7-key", "Zq7-key", "aWQtMTpacTcta2V5"}},
		"encoded key": {Config{APIKey: "aWQtMTpacTcta2V5"}, []string{"aWQtMTpacTcta2V5", "Zq7-key"}},
		"nothing":     {Config{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &Sink{mask: newMask(tt.cfg)}
			text := "refused: " + strings.Join(tt.shown, ", ")
			_, reason := s.topCause([]byte(`{"error":{"type":"security_exception","reason":"` + text + `"}}`))
			for _, secret := range tt.shown {
				if strings.Contains(reason, secret) {
					t.Errorf("%s is shown in %q", secret, reason)
				}
			}
			if !strings.HasPrefix(reason, "refused: ") {
				t.Errorf("the rest is lost: %q", reason)
			}
		})
	}
}
