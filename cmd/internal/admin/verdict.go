package admin

import (
	"fmt"
	"time"
)

const (
	// behindIsNormal is how far a sweep may be behind the settle time without being
	// worth a word: eleven sources at the lowest limit seen are swept every minute
	// and a half, and one bad answer doubles that.
	behindIsNormal = 5 * time.Minute
	// lagIsNormal is the same for a sink: a batch that is retried a few times.
	lagIsNormal = time.Minute
)

// Judge answers the question that people have: are we complete, until when, and if
// not, why. It fills CompleteUntil and Reasons.
func (s *Status) Judge() {
	s.CompleteUntil, s.Reasons = time.Time{}, []string{}
	for i := range s.Tenants {
		if t := &s.Tenants[i]; t.Trouble != "" {
			s.because("tenant %s: %s", t.Name, t.Trouble)
		}
	}
	if s.Journal.Full {
		s.because("the journal is full: polling waits for the sinks")
	}
	for i := range s.Coverage {
		s.judgeCoverage(&s.Coverage[i])
	}
	for i := range s.Sinks {
		k := &s.Sinks[i]
		switch lag := seconds(k.LagSeconds); {
		case k.Paused:
			s.because("sink %s is paused: %s", k.Name, k.Trouble)
		case k.Trouble != "":
			s.because("sink %s: %s", k.Name, k.Trouble)
		case lag > lagIsNormal:
			s.because("sink %s is behind: its oldest undelivered event is %s old", k.Name, lag.Round(time.Second))
		}
	}
}

func (s *Status) judgeCoverage(c *Coverage) {
	name := c.Tenant + " " + c.Sources
	if c.Mode == "off" {
		s.because("%s: the sweep is off, so nothing is promised of it", name)
		return
	}
	if s.CompleteUntil.IsZero() || c.CompleteUntil.Before(s.CompleteUntil) {
		s.CompleteUntil = c.CompleteUntil
	}
	if behind := seconds(c.BehindSeconds); behind > behindIsNormal {
		text := fmt.Sprintf("%s: %s of its time are still to be swept", name, behind.Round(time.Second))
		if c.RemainingSeconds > 0 {
			text += ", which takes about " + seconds(c.RemainingSeconds).Round(time.Second).String()
		}
		s.because("%s", text)
	}
}

func (s *Status) because(format string, args ...any) {
	s.Reasons = append(s.Reasons, fmt.Sprintf(format, args...))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
