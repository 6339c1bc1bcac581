package tailer

import (
	"encoding/json"
	"fmt"
	"time"
)

// checkpoint is the restart state of a tail, kept in the journal's records and
// from there in the state file.
type checkpoint struct {
	Version int `json:"v"`
	// Cookie continues the tail; "" starts it anew.
	Cookie string `json:"cookie,omitempty"`
	// Last is the timestamp of the last entry returned and Overlap the ids of the
	// entries of that timestamp: the next page begins with them again, however
	// long it takes until there is one.
	Last    time.Time `json:"last,omitzero"`
	Overlap []string  `json:"overlap,omitempty"`
	// Polled is when the page was asked for, by the local clock.
	Polled time.Time `json:"polled,omitzero"`
}

const checkpointVersion = 1

func (c *checkpoint) encode() ([]byte, error) {
	c.Version = checkpointVersion
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the checkpoint: %w", err)
	}
	return b, nil
}

func decodeCheckpoint(b []byte) (checkpoint, error) {
	var c checkpoint
	if err := json.Unmarshal(b, &c); err != nil {
		return checkpoint{}, fmt.Errorf("read the checkpoint: %w", err)
	}
	if c.Version != checkpointVersion {
		return checkpoint{}, fmt.Errorf("read the checkpoint: version %d is not known to this version of aictail", c.Version)
	}
	return c, nil
}
