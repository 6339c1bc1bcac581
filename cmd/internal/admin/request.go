package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// ReplayRequest is the body of a POST to /api/replay.
type ReplayRequest struct {
	Sink string `json:"sink"`
	// Since is from when on the sink is sent again what was journaled.
	Since time.Time `json:"since"`
}

// ReplayResult is the answer.
type ReplayResult struct {
	// From is when the first event was journaled that is sent again; zero if the sink
	// has not come as far as Since yet, so that nothing is.
	From time.Time `json:"from,omitzero"`
	// Oldest is when the oldest event was journaled that the journal still holds.
	Oldest time.Time `json:"oldest"`
}

// LettersRequest is the body of a POST to /api/deadletter/replay.
type LettersRequest struct {
	Sink string `json:"sink"`
	// IDs are those of the events to send again; none means all.
	IDs []string `json:"ids,omitempty"`
}

// LettersResult is the answer.
type LettersResult struct {
	// Accepted were taken and are no dead letters any more; Refused were refused
	// again and stay.
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
	// GoesOn says that it takes longer than a request may, and the daemon goes on
	// with it.
	GoesOn bool `json:"goes_on,omitempty"`
	// Trouble says why the rest was not sent; "" if nothing was left.
	Trouble string `json:"trouble,omitempty"`
}

// requestTime is how long a request may wait for a sink: less than the server may
// take to answer, and longer than a batch takes as a rule.
const requestTime = 20 * time.Second

// handle answers a POST with what do returns.
func handle[Request, Result any](do func(context.Context, Request) (Result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(RequestHeader) == "" {
			http.Error(w, "the header "+RequestHeader+" is missing", http.StatusBadRequest)
			return
		}
		var req Request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		result, err := do(ctx, req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result) // the reader has gone away
	}
}
