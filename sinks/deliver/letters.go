package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
	"aictail/sinks/deliver/deadletter"
)

// letterLogEvery bounds how often new dead letters are logged: a destination that
// refuses one event in a thousand must not fill the log.
const letterLogEvery = time.Hour

// bury stores the rejected events of a batch.
func (w *Worker) bury(b *batch) error {
	now := time.Now()
	letters := make([]deadletter.Letter, len(b.rejected))
	for i, r := range b.rejected {
		letters[i] = w.letter(r, now, r.tries)
	}
	done, err := w.deps.Letters.Add(letters)
	for _, l := range letters[:done] {
		w.deps.Metrics.letters.WithLabelValues(w.name, string(l.Reason)).Inc()
	}
	if done > 0 {
		w.logLetters(letters[:done])
	}
	b.rejected = b.rejected[done:]
	return err
}

func (w *Worker) letter(r rejection, now time.Time, attempts int) deadletter.Letter {
	return deadletter.Letter{
		Time: now, Sink: w.name, Reason: r.reason, Error: fmt.Sprint(r.err), Attempts: attempts, Event: r.event,
	}
}

// logLetters logs new dead letters, or only counts them if that was done a short
// while ago.
func (w *Worker) logLetters(letters []deadletter.Letter) {
	w.unlogged += len(letters)
	if !w.lettersLogged.IsZero() && time.Since(w.lettersLogged) < letterLogEvery {
		return
	}
	first := letters[0]
	w.log.Warn("the sink will never take some events; they are kept as dead letters: 'aictail deadletter list' shows them, 'replay' sends them again once the cause is mended",
		zap.Int("events", w.unlogged), zap.String("file", w.deps.Letters.File()),
		zap.String("reason", string(first.Reason)), zap.String("first_error", first.Error))
	w.unlogged, w.lettersLogged = 0, time.Now()
}

// Outcome says what became of dead letters that were sent again.
type Outcome struct {
	// Accepted were taken and are no dead letters any more; Refused were refused
	// again and stay.
	Accepted, Refused int
}

// ReplayLetters sends dead letters to the sink again: those with the given ids, or
// all if there are none. It waits for the worker until ctx ends, and then returns
// ErrBusy or ErrGoesOn. It may be called by any goroutine while Run runs.
//
// A crash, or an error of the disk, between the sink's answer and the store's
// rewriting leaves letters that were taken; they are sent again the next time.
func (w *Worker) ReplayLetters(ctx context.Context, ids []string) (Outcome, error) {
	type result struct {
		outcome Outcome
		err     error
	}
	var r result
	err := w.ask(ctx, &command{aside: true, do: func(ctx context.Context) {
		if !w.opened.Load() {
			r.err = errors.New("the sink is not open")
			if text := w.trouble.Load(); text != nil {
				r.err = fmt.Errorf("%w: %s", r.err, *text)
			}
			return
		}
		r.outcome, r.err = w.replay(ctx, ids)
	}})
	if err != nil {
		return Outcome{}, err
	}
	return r.outcome, r.err
}

// ReplayLettersOnce is ReplayLetters for a worker that does not run: it opens the
// sink, once, and closes it again.
func (w *Worker) ReplayLettersOnce(ctx context.Context, ids []string) (o Outcome, err error) {
	defer func() { err = errors.Join(err, w.deps.Sink.Close()) }()
	if err := w.openOnce(ctx); err != nil {
		return Outcome{}, err
	}
	return w.replay(ctx, ids)
}

// replay sends the letters in batches. It goes on as long as the sink answers.
func (w *Worker) replay(ctx context.Context, ids []string) (Outcome, error) {
	var total Outcome
	var chunk []deadletter.Letter
	size := 0
	flush := func() error {
		o, err := w.replayChunk(ctx, chunk)
		total.Accepted += o.Accepted
		total.Refused += o.Refused
		chunk, size = nil, 0
		return err
	}
	err := w.deps.Letters.Each(func(l deadletter.Letter) error {
		if len(ids) > 0 && !slices.Contains(ids, string(l.Event.ID)) {
			return nil
		}
		n := len(l.Event.Raw)
		if len(chunk) > 0 && (len(chunk) == w.batching.MaxEvents || size+n > w.batching.MaxBytes) {
			if err := flush(); err != nil {
				return err
			}
		}
		chunk = append(chunk, l)
		size += n
		return nil
	})
	if err == nil && len(chunk) > 0 {
		err = flush()
	}
	return total, err
}

// replayChunk sends letters and changes the store by what the sink says.
func (w *Worker) replayChunk(ctx context.Context, letters []deadletter.Letter) (o Outcome, err error) {
	events := make([]aictail.Event, len(letters))
	attempts := make(map[deadletter.Key]int, len(letters))
	changed := make(map[deadletter.Key]*deadletter.Letter, len(letters))
	for i := range letters {
		events[i] = letters[i].Event
		key := letters[i].Key()
		attempts[key], changed[key] = letters[i].Attempts, nil
	}
	b := newBatch(events, 0, nil)
	var fault error
	for len(b.events) > 0 && fault == nil {
		fault = w.send(ctx, b)
	}
	for i := range b.events {
		delete(changed, keyOf(&b.events[i]))
	}
	now := time.Now()
	for _, r := range b.rejected {
		key := keyOf(&r.event)
		l := w.letter(r, now, attempts[key]+1)
		changed[key] = &l
	}
	o = Outcome{Accepted: len(changed) - len(b.rejected), Refused: len(b.rejected)}
	if fault != nil {
		w.deps.Metrics.errors.WithLabelValues(w.name, sinks.KindOf(fault).String()).Inc()
		fault = fmt.Errorf("the sink accepts nothing at the moment: %w", fault)
	}
	if len(changed) == 0 {
		return o, fault
	}
	// A sink that is ahead has named those that it has not taken: what it takes is
	// there for good, and its state is stored with the position when that follows.
	if s, ok := w.deps.Sink.(sinks.Stateful); ok && !w.ahead {
		if err := w.deps.Store.SaveState(s.State()); err != nil {
			return Outcome{}, errors.Join(fault, err)
		}
	}
	if err := w.deps.Letters.Rewrite(changed); err != nil {
		return o, errors.Join(fault, fmt.Errorf("the letters were sent and are still listed: %w", err))
	}
	return o, fault
}

func keyOf(e *aictail.Event) deadletter.Key {
	return deadletter.Key{Position: e.Position, ID: string(e.ID)}
}
