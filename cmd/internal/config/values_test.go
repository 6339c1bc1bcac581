package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestSecretMasksItself(t *testing.T) {
	const text = "hunter2"
	s := NewSecret(text)
	cfg := minimalConfig()
	tenant := cfg.Tenants["prod"]
	tenant.APIKey, tenant.APISecret = s, s
	cfg.Tenants["prod"] = tenant
	hidden := struct {
		secret  Secret
		pointer *Secret
		tenant  Tenant
		config  *Config
	}{s, &s, tenant, cfg}

	var printed bytes.Buffer
	for _, verb := range strings.Split("v,+v,#v,s,q,x,X,d,T,t,p,c,U,e,10s,-10s,.3s,08x,+q,#x,# x", ",") {
		for _, value := range []any{s, &s, []Secret{s}, map[string]Secret{"k": s}, tenant, cfg, hidden, &hidden, struct{ S any }{s}} {
			fmt.Fprintf(&printed, "%"+verb+"\n", value)
		}
	}
	fmt.Fprintln(&printed, s, &s, hidden, fmt.Errorf("x: %v", s), s.String())
	for _, value := range []any{s, &s, tenant, cfg} {
		out, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(out)
		if out, err = yaml.Marshal(value); err != nil {
			t.Fatal(err)
		}
		printed.Write(out)
	}
	for _, encoder := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())} {
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&printed), zap.DebugLevel))
		log.Info("x", zap.Any("s", s), zap.Any("p", &s), zap.Stringer("t", s), zap.Reflect("c", cfg), zap.Any("h", hidden), zap.Any("l", []Secret{s}))
		log.Sugar().Infow("x", "s", s, "t", tenant)
		log.Sugar().Infof("%s %v", s, tenant)
	}
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "s", s, "t", tenant)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "s", s, "t", tenant)

	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprintf("% x", text)} {
		if strings.Contains(printed.String(), leak) {
			t.Errorf("%q is shown", leak)
		}
	}
	if !strings.Contains(printed.String(), masked) {
		t.Error("the mask is not shown")
	}
	if s.Value() != text || s.IsZero() || !NewSecret("").IsZero() || NewSecret("").String() != "" || !s.Equal(NewSecret(text)) {
		t.Error("a secret does not keep its text")
	}
}

func TestParseBytes(t *testing.T) {
	good := map[string]Bytes{
		"0": 0, "1000": 1000, "7B": 7, "64KB": 64000, "64KiB": 65536, "512MiB": 512 << 20, "10GiB": 10 << 30, " 10 gib ": 10 << 30,
		"2TB": 2e12, "1TiB": 1 << 40, "9223372036854775807": math.MaxInt64, "8388607TiB": 8388607 << 40,
	}
	for text, want := range good {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "-1", "+1", "1.5GiB", "1e3", "GiB", "10G", "10 Gi B", "0x10", "1_000", "8388608TiB", "9223372036854775808", "ten", "10GiB!"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
	for size, want := range map[Bytes]string{0: "0", 1: "1", 1000: "1KB", 1024: "1KiB", 1025: "1025", 64000: "64KB", 10 << 30: "10GiB", -5: "-5"} {
		if got := size.String(); got != want {
			t.Errorf("%d is printed as %s, want %s", int64(size), got, want)
		}
	}
}

func TestBytesReadsWhatItPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size") >> rapid.IntRange(0, 62).Draw(t, "shift"))
		if got, err := ParseBytes(want.String()); err != nil || got != want {
			t.Fatalf("%d is printed as %s and read as %d, %v", int64(want), want, int64(got), err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"0": 0, "0s": 0, "300ms": 300 * time.Millisecond, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour,
		" 5m ": 5 * time.Minute, "-1s": -time.Second, "106751d": 106751 * 24 * time.Hour,
	}
	for text, want := range good {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	bad := map[string]string{
		"30": "give a unit", "1.5": "give a unit", "": "want a duration", "d": "want a duration", "1.5d": "want a duration", "-1d": "want a duration",
		"1d-1h": "want a duration", "1d1d": "want a duration", "1h1d": "want a duration", "1w": "want a duration", "106752d": "too long", "106751d24h": "too long",
		"9999999999999d": "want a duration",
	}
	for text, want := range bad {
		if got, err := parseDuration(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseDuration(%q) = %s, %v; want %q", text, got, err, want)
		}
	}
}

func TestClosest(t *testing.T) {
	keys := []string{"url", "api_key", "api_key_file", "api_secret", "sources", "max_size", "level"}
	for name, want := range map[string]string{
		"api_kee": "api_key", "apikey": "api_key", "API-KEY": "api_key", "ulr": "url", "uri": "url", "maxsize": "max_size", "max-size": "max_size",
		"source": "sources", "scources": "sources", "lvl": "", "quux": "", "": "", "é": "",
	} {
		if got := closest(name, keys); got != want {
			t.Errorf("closest(%q) = %q, want %q", name, got, want)
		}
	}
}
