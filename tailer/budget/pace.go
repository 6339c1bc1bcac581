package budget

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Polling a stream every T delays its events by T/2 on average. With rates λ
// and B polls per second for all, the mean delay is least at intervals in
// proportion to 1/√λ: twice the polls for four times the events.

const (
	// slowMemory is how long a poll weighs in a stream's rate. In three minutes
	// even one event in ten seconds is known to a quarter, and so its interval to
	// an eighth, which costs no more than two in a hundred of the mean delay.
	slowMemory = 3 * time.Minute
	// fastMemory is that of the rate which makes a stream that wakes rise at
	// once: about one interval of an idle stream.
	fastMemory = 20 * time.Second
	// sure is how many standard deviations of chance the fast rate must rise above
	// before it counts, so that steady streams are not polled by their noise.
	sure = 2
	// longMemory keeps streams that send in bursts, minutes apart, from being
	// taken for dead between two: what they sent in half an hour.
	longMemory = 30 * time.Minute
	// prior is how many events of the mean rate of all streams a stream begins
	// with, so that streams nothing is known of yet are polled alike.
	prior = 1
	// jitter keeps streams from marching in step.
	jitter = 0.1
	// longestOfMax bounds the interval in multiples of Max where polls do not suffice:
	// five minutes by default. A tenant with so low a limit that it matters makes
	// requests wait anyway.
	longestOfMax = 10
	// leastRate, in events per second, stands for none, so that the intervals of
	// idle streams are defined: less than one event in ten days.
	leastRate = 1e-6
)

// PacerOptions bound the intervals and say what may be spent.
type PacerOptions struct {
	// Min and Max bound the interval of every stream; see NewPacer for when Max
	// does not hold.
	Min, Max time.Duration
	// Polls returns the polls per second that all streams may use together now,
	// for example a part of Budget.Rate. It may be called concurrently.
	Polls func() float64
}

// Pacer spreads polls over the tails of one tenant. It may be used concurrently.
type Pacer struct {
	min, max time.Duration
	polls    func() float64

	mu      sync.Mutex // guards streams and everything in them
	streams []*Pace
}

// Pace is the pacing of one stream. It may be used concurrently.
type Pace struct {
	pacer            *Pacer
	name             string
	slow, fast, long average
	weight           float64 // √rate, as last computed
}

// NewPacer returns a pacer without streams.
//
// Polls wins over Max: when even all streams at Max need more polls than there
// are, Max stands for a longer time, see longestLocked. What is not Polls is the
// sweep's, without which nothing is complete.
func NewPacer(o PacerOptions) *Pacer {
	o.Min = max(o.Min, time.Millisecond)
	return &Pacer{min: o.Min, max: max(o.Max, o.Min), polls: o.Polls}
}

// Add adds a stream. The same name again returns the same Pace.
func (p *Pacer) Add(name string) *Pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		if s.name == name {
			return s
		}
	}
	s := &Pace{
		pacer: p, name: name,
		slow: average{memory: slowMemory.Seconds()},
		fast: average{memory: fastMemory.Seconds()},
		long: average{memory: longMemory.Seconds()},
	}
	p.streams = append(p.streams, s)
	return s
}

// Polled tells what a poll found: the new events, and the time since the poll
// before, which they stand for. A page that was full and is drained by further
// polls at once is told poll by poll, with the short times between them.
func (s *Pace) Polled(events int, since time.Duration) {
	s.pacer.mu.Lock()
	defer s.pacer.mu.Unlock()
	n, t := float64(max(events, 0)), max(since, 0).Seconds()
	s.slow.add(n, t)
	s.fast.add(n, t)
	s.long.add(n, t)
}

// Interval returns the time until the stream's next poll. It varies by a tenth
// from call to call, and changes with every poll of any stream.
func (s *Pace) Interval() time.Duration {
	p := s.pacer
	polls := p.polls()
	p.mu.Lock()
	longest := p.longestLocked(polls)
	share := p.shareLocked(polls, longest)
	d := p.intervalLocked(s, share, longest)
	p.mu.Unlock()
	return time.Duration(float64(d) * (1 + jitter*(2*rand.Float64()-1)))
}

// longestLocked returns the longest interval in seconds: Max, or where polls do not
// suffice for all at Max, so much more that the loud streams still get more polls
// than the idle ones. With twice the streams that there are polls for, it is three
// times Max.
func (p *Pacer) longestLocked(polls float64) float64 {
	short := float64(len(p.streams)) / (p.max.Seconds() * max(polls, leastRate))
	return p.max.Seconds() * min(max(1, 2*short-1), longestOfMax)
}

// intervalLocked returns the interval of s when a weight of 1 gets share polls
// per second.
func (p *Pacer) intervalLocked(s *Pace, share, longest float64) time.Duration {
	seconds := 1 / (share * s.weight)
	return time.Duration(min(max(seconds, p.min.Seconds()), longest) * float64(time.Second))
}

// shareLocked returns the polls per second for a weight of 1 with which all
// streams together use polls per second. What streams at a bound do not take, or
// take beyond their part, the others get or give.
func (p *Pacer) shareLocked(polls, longest float64) float64 {
	p.weighLocked()
	most, least := 1/p.min.Seconds(), 1/longest
	heaviest, lightest := 0.0, math.Inf(1)
	for _, s := range p.streams {
		heaviest, lightest = max(heaviest, s.weight), min(lightest, s.weight)
	}
	// Between low, where all are at their longest, and high, where all are at Min, the sum
	// grows with the share; halving finds it. 50 steps are exact enough for any
	// two rates, and some thousand operations a poll.
	low, high := least/heaviest, most/lightest
	for range 50 {
		middle := math.Sqrt(low * high)
		sum := 0.0
		for _, s := range p.streams {
			sum += min(max(middle*s.weight, least), most)
		}
		if sum > polls {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

// weighLocked brings the weights up to date.
func (p *Pacer) weighLocked() {
	events, seconds := 0.0, 0.0
	for _, s := range p.streams {
		events += s.slow.events
		seconds += s.slow.seconds
	}
	mean := leastRate
	if seconds > 0 {
		mean = max(mean, events/seconds)
	}
	for _, s := range p.streams {
		s.weight = math.Sqrt(max(s.rate(mean), leastRate))
	}
}

// rate estimates the events per second that are to come, given the mean of all
// streams.
func (s *Pace) rate(mean float64) float64 {
	slow := (s.slow.events + prior) / (s.slow.seconds + prior/mean)
	if s.fast.seconds == 0 {
		return slow
	}
	fast := (s.fast.events - sure*math.Sqrt(s.fast.events)) / s.fast.seconds
	long := s.long.events / (s.long.seconds + prior/mean)
	return max(slow, fast, long)
}

// average counts events and the seconds they came in, the older ones less.
type average struct {
	memory          float64 // seconds in which a count loses two thirds of its weight
	events, seconds float64
}

// add counts events that came evenly over the seconds before now.
func (a *average) add(events, seconds float64) {
	keep := math.Exp(-seconds / a.memory)
	weight := a.memory * (1 - keep) // of the seconds, the earlier ones less
	if seconds > 0 {
		events *= weight / seconds
	}
	a.events = a.events*keep + events
	a.seconds = a.seconds*keep + weight
}
