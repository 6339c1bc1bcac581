// Package sinks says what a destination of events must do. Each sub-package is
// one kind of destination; sinks/deliver drives them and sinks/sinktest is the
// suite that every one of them must pass. The package knows nothing of
// configuration files, of the journal or of any particular destination.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aictail"
)

// Sink is one destination. deliver calls its methods from one goroutine, never
// two at a time.
type Sink interface {
	// Open readies the sink and repairs what a crash left behind. It is called
	// before the first Send; after an error it is called again later. saved
	// stays valid for the sink's whole life.
	Open(ctx context.Context, saved Saved) error

	// Send delivers the events in order. It returns nil only when the
	// destination has every one of them for good: after nil the read position
	// moves over them and they are never sent again. After an error the same
	// events come again, together with or without others, so Send undoes what it
	// did in part wherever the destination allows it; or, where the destination
	// answers for each event, the error names those that failed (Error.Failed),
	// and only they come again. The error is an *Error, or is treated as one of
	// kind Retry. The events and their bytes belong to the
	// caller and are valid only during the call.
	Send(ctx context.Context, events []aictail.Event) error

	// Close releases what Open and Send acquired. It does not deliver anything.
	Close() error
}

// Stateful is a Sink whose own bookkeeping must agree with its read position.
type Stateful interface {
	// State returns what is to be stored in the same transaction as the read
	// position, once every event before that position was delivered by Send or has
	// become a dead letter. The next Open receives it.
	State() []byte
}

// Saved is what a sink kept with its read position.
type Saved struct {
	// State is what State returned when the position was last committed, or what
	// was last given to Save; nil for a sink that has never run.
	State []byte
	// Save durably replaces the state without moving the read position. A sink
	// calls it from Open or Send when it must remember something before it acts.
	Save func(state []byte) error
}

// Kind says what a failure of Send means for the events concerned.
type Kind int

// The four kinds of failure.
const (
	// Retry: try again later, without limit (network, busy, 5xx, disk full).
	Retry Kind = iota
	// Split: the batch is too large; send it in halves. A lone event that is too
	// large is a dead letter.
	Split
	// Poison: the destination will never accept these events. Of a batch whose
	// failures are not named one by one, at least one event is meant.
	Poison
	// Refused: credentials, permissions or configuration are wrong; pause, tell
	// somebody, and probe slowly.
	Refused
)

// String returns the kind's name as used in logs and metric labels.
func (k Kind) String() string {
	switch k {
	case Retry:
		return "retry"
	case Split:
		return "split"
	case Poison:
		return "poison"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Error is a failure that says how to go on.
type Error struct {
	Kind Kind
	// After is how long the destination asked to be left alone; 0 if it did not.
	After time.Duration
	// Err says what happened and what to do. It never contains event content.
	Err error
	// Failed lists the events that failed, in ascending order, if the destination
	// answered for each: all others of the batch are delivered for good. Kind is
	// then that of the failure that matters most: Refused, else Retry, else Poison.
	// If Failed is empty, nothing is known of single events and Kind holds for the
	// whole batch.
	Failed []Failure
}

// Failure is what a destination said of one event of a batch.
type Failure struct {
	// Index is the event's in the slice that was given to Send.
	Index int
	Kind  Kind
	// Err says why. It never contains event content.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the *Error in its chain, else Retry.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Retry
}
