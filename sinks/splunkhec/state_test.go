package splunkhec

import (
	"testing"

	"aictail/sinks"
	"aictail/sinks/splunkhec/hectest"
)

// TestRefusedIsNotDoubtful: events that were refused for certain come again without a
// doubt after an orderly end, as when a token was changed; after a crash nobody knows
// that they were refused, and those of an unknown outcome stay doubtful.
func TestRefusedIsNotDoubtful(t *testing.T) {
	for name, tt := range map[string]struct {
		fault hectest.Fault
		crash bool
		want  int
	}{
		"refused":            {hectest.Fault{Status: 403, Body: `{"code":4}`}, false, 0},
		"refused and killed": {hectest.Fault{Status: 403, Body: `{"code":4}`}, true, 10},
		"cut":                {hectest.Fault{Cut: true}, false, 10},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, hectest.Options{})
			var saved sinks.Saved
			saved.Save = func(b []byte) error { saved.State = b; return nil }
			open := func() *Sink {
				s := newSink(t, Config{URLs: []string{server.URL()}, Token: "token"})
				if err := s.Open(t.Context(), saved); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			}
			first := open()
			if err := first.Send(t.Context(), newEvents(1, 5)); err != nil {
				t.Fatal(err)
			}
			tt.fault.Service = hectest.Collect
			server.Inject(tt.fault)
			asError(t, first.Send(t.Context(), newEvents(6, 10)))
			if !tt.crash {
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
			}
			second := open()
			if err := second.Send(t.Context(), newEvents(6, 10)); err != nil {
				t.Fatal(err)
			}
			if got := repeats(t, second); got != tt.want {
				t.Errorf("%d possible duplicates are counted, want %d", got, tt.want)
			}
		})
	}
}
