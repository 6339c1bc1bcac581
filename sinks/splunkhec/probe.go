package splunkhec

import (
	"context"
	"time"

	"aictail/sinks"
)

var _ sinks.Prober = (*Sink)(nil)

// Probe asks every address whether HEC is well and takes the token, as Open does.
// Whether the token may write to the configured index cannot be asked for without
// sending an event.
func (s *Sink) Probe(ctx context.Context) []sinks.Finding {
	defer s.closeConnections()
	if s.state.Channel == "" {
		s.state.Channel = newChannel() // of this query alone; nothing was ever sent with it
	}
	ctx, certificates := sinks.WatchCertificates(ctx)
	var list []sinks.Finding
	usable := 0
	for _, e := range s.endpoints {
		out := s.probe(ctx, e)
		if out.ok {
			usable++
			list = append(list, sinks.Finding{Check: "address", Found: e.event + " is well and takes the token"})
			continue
		}
		list = append(list, sinks.FindingOf("address", out.err))
	}
	if usable > 0 {
		// The others are used as long as one works.
		for i := range list {
			list[i].Verdict = min(list[i].Verdict, sinks.Doubtful)
		}
	}
	list = append(list, certificates(time.Now())...)
	if s.cfg.Index != "" {
		list = append(list, sinks.Finding{Check: "index", Found: "whether the token may write to " + s.cfg.Index + " shows with the first event"})
	}
	return list
}
