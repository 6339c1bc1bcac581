package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"aictail"
	"aictail/sinks"
)

// batch is what one Send knows of its events. Its slices are used again.
type batch struct {
	// seq numbers the batches, so that a target can tell whose events it has.
	seq uint64
	// touched are the targets that have events, in order of their first one.
	touched []*target
	// next leads from each event to the next one for the same target, -1 at the
	// end; so a target's events are found in order without a list for each.
	next []int
}

// Send writes the events to their files and syncs these. After an error the
// files are as before, or marked to be cut before anything else is written to
// them. A batch for more files than may be open is of kind Split.
func (s *Sink) Send(ctx context.Context, events []aictail.Event) error {
	if s.save == nil {
		return &sinks.Error{Kind: sinks.Retry, Err: errors.New("the file sink is not open")}
	}
	if err := ctx.Err(); err != nil {
		return classify(err)
	}
	if err := s.prepare(events); err != nil {
		return classify(err)
	}
	if err := s.writeAll(ctx, events); err != nil {
		s.undo()
		return classify(err)
	}
	for _, t := range s.batch.touched {
		t.settled = t.length
		t.wrote = false
	}
	return nil
}

// prepare brings every file that the batch needs to where it can be written.
// No byte of the batch is written here.
func (s *Sink) prepare(events []aictail.Event) error {
	for _, t := range s.targets {
		if t.known && (t.cut || t.h == nil) {
			if err := s.reclaim(t); err != nil {
				return fmt.Errorf("cut uncommitted end of output file: %w", err)
			}
		}
	}
	s.pruneRoutes()
	if err := s.assign(events); err != nil {
		return err
	}
	if err := s.refresh(); err != nil {
		return err
	}
	if err := s.makeRoom(); err != nil {
		return err
	}
	return s.register()
}

// assign finds each event's target and links the events of each target.
func (s *Sink) assign(events []aictail.Event) error {
	b := &s.batch
	b.seq++
	b.touched = b.touched[:0]
	if cap(b.next) < len(events) {
		b.next = make([]int, len(events))
	}
	b.next = b.next[:len(events)]

	now := s.now()
	var t *target
	var last routeKey
	for i := range events {
		key := s.template.key(&events[i])
		if t == nil || key != last {
			t, last = s.route(key), key
		}
		b.next[i] = -1
		if t.seq == b.seq {
			b.next[t.tail] = i
		} else {
			if len(b.touched) == maxOpen {
				return &sinks.Error{Kind: sinks.Split, Err: fmt.Errorf("a batch for more than %d files", maxOpen)}
			}
			t.seq, t.head, t.bytes, t.used = b.seq, i, 0, now
			b.touched = append(b.touched, t)
		}
		t.tail = i
		t.bytes += int64(len(events[i].Raw)) + 1
	}
	return nil
}

// route returns the target for a key.
func (s *Sink) route(key routeKey) *target {
	if t := s.routes[key]; t != nil {
		return t
	}
	path := s.template.expand(key)
	t := s.targets[path]
	if t == nil {
		t = &target{path: path}
		s.targets[path] = t
	}
	// The event's strings may be parts of a page; a clone does not keep it.
	key.tenant, key.source = strings.Clone(key.tenant), strings.Clone(key.source)
	s.routes[key] = t
	return t
}

// pruneRoutes forgets the paths that are not open once there are many.
func (s *Sink) pruneRoutes() {
	if len(s.routes) < maxRoutes {
		return
	}
	clear(s.routes)
	for path, t := range s.targets {
		if !t.known {
			delete(s.targets, path)
		}
	}
}

// refresh lets go of files that were moved away and rotates those that are due.
func (s *Sink) refresh() error {
	reopen := s.reopen.Swap(false)
	now := s.now()
	for _, t := range s.targets {
		if !t.known {
			continue
		}
		touched := t.seq == s.batch.seq
		if touched && t.length == 0 {
			t.since = now // an empty file has no age
		}
		due := s.due(t, touched, now)
		if !touched && !due && !reopen {
			continue
		}
		err := s.check(t)
		if err == nil && due && t.known {
			err = s.rotate(t, now)
		}
		if err != nil {
			if reopen {
				s.reopen.Store(true)
			}
			return err
		}
	}
	return nil
}

// makeRoom closes idle files, and the longest unused ones where the batch needs
// room for others. Only clean files are closed: they may leave the state.
func (s *Sink) makeRoom() error {
	now := s.now()
	var spare []*target
	open, need := 0, 0
	for _, t := range s.targets {
		touched := t.seq == s.batch.seq
		switch {
		case touched && !t.known:
			need++
		case t.known:
			open++
			if !touched && t.clean() {
				spare = append(spare, t)
			}
		}
	}
	slices.SortFunc(spare, func(a, b *target) int { return a.used.Compare(b.used) })
	for _, t := range spare {
		// With rotation by age, an idle file stays open: only open files are
		// looked at when they get old.
		idle := s.rotation.Every == 0 && now.Sub(t.used) >= idleAfter
		if !idle && open+need <= maxOpen {
			break
		}
		if err := t.forget(); err != nil {
			s.log.Warn("close output file", zap.String("file", t.path), zap.Error(err))
		}
		open--
	}
	return nil
}

// register opens the files that are not open yet and saves the state that names
// them. After it, every file of the batch is in the saved state.
func (s *Sink) register() error {
	missing := false
	for _, t := range s.batch.touched {
		if !t.known {
			if err := s.adopt(t); err != nil {
				return fmt.Errorf("open output file: %w", err)
			}
		}
		missing = missing || !t.saved
	}
	if !missing {
		return nil
	}
	b, err := s.encode()
	if err != nil {
		return err
	}
	if err := s.save(b); err != nil {
		return fmt.Errorf("save the state before writing to a new output file: %w", err)
	}
	for _, t := range s.batch.touched {
		t.saved = true
	}
	return nil
}

// writeAll writes and syncs every file of the batch.
func (s *Sink) writeAll(ctx context.Context, events []aictail.Event) error {
	for _, t := range s.batch.touched {
		if err := s.write(ctx, t, events); err != nil {
			return err
		}
	}
	for _, t := range s.batch.touched {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.h.Sync(); err != nil {
			t.unsynced = true
			return err
		}
	}
	return nil
}

// write appends the target's events, in order, in few large writes.
func (s *Sink) write(ctx context.Context, t *target, events []aictail.Event) error {
	buf := s.buffer[:0]
	for i := t.head; i >= 0; i = s.batch.next[i] {
		raw := events[i].Raw
		if len(buf)+len(raw)+1 > cap(buf) {
			if err := t.append(ctx, buf); err != nil {
				return err
			}
			buf = buf[:0]
			if len(raw)+1 > cap(buf) {
				// As large as a buffer itself: written without the copy.
				if err := t.append(ctx, raw); err != nil {
					return err
				}
				raw = nil
			}
		}
		buf = append(buf, raw...)
		buf = append(buf, '\n')
	}
	return t.append(ctx, buf)
}

// append writes b at the end of the file.
func (t *target) append(ctx context.Context, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.wrote = true
	n, err := t.h.Write(b)
	t.length += int64(n)
	return err
}

// undo cuts the files of a failed batch back to their length before it. A file
// that can't be cut now, or whose sync failed, is closed and cut by the next
// Send before it writes anything; should the process end before, by Open.
func (s *Sink) undo() {
	for _, t := range s.batch.touched {
		if !t.wrote {
			continue
		}
		// Also after a failed sync: if the file is moved away before the next
		// Send, this is the last chance.
		err := t.h.Truncate(t.settled)
		if err == nil && !t.unsynced {
			err = t.h.Sync()
		}
		if err == nil && !t.unsynced {
			t.length, t.wrote = t.settled, false
			continue
		}
		t.cut = true
		if err := errors.Join(err, t.closeHandle()); err != nil {
			s.log.Warn("output file could not be cut back after a failed write; it will be before the next one",
				zap.String("file", t.path), zap.Error(err))
		}
	}
}
