package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHandle holds what a request needs: the header, which a page of another site
// cannot set, and a body that is JSON.
func TestHandle(t *testing.T) {
	calls := 0
	h := handle(func(ctx context.Context, req ReplayRequest) (ReplayResult, error) {
		calls++
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > requestTime {
			t.Error("a request may wait for ever")
		}
		if req.Sink == "archve" {
			return ReplayResult{}, errors.New("there is no such sink")
		}
		return ReplayResult{Oldest: req.Since}, nil
	})
	tests := []struct {
		name, header, body string
		status             int
		says               string
	}{
		{"good", RequestHeader, `{"sink":"archive","since":"2026-01-01T00:00:00Z"}`, http.StatusOK, `{"oldest":"2026-01-01T00:00:00Z"}`},
		{"refused", RequestHeader, `{"sink":"archve"}`, http.StatusBadRequest, "there is no such sink"},
		{"without the header", "X-Other", `{"sink":"archive"}`, http.StatusBadRequest, "the header X-Aictail-Request is missing"},
		{"not JSON", RequestHeader, `sink=archive`, http.StatusBadRequest, "invalid character"},
		{"too large", RequestHeader, `{"sink":"` + strings.Repeat("a", 2<<20) + `"}`, http.StatusBadRequest, "too large"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/api/replay", strings.NewReader(tt.body))
		r.Header.Set(tt.header, "1")
		w := httptest.NewRecorder()
		h(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s: %d %s; want %d and %q", tt.name, w.Code, w.Body, tt.status, tt.says)
		}
	}
	if calls != 2 {
		t.Errorf("%d requests were let through, want 2", calls)
	}
}
