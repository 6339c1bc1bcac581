package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// stateVersion is the version of the stored state. It changes when an older
// program would misread the new form.
const stateVersion = 1

// state is what the sink keeps with its read position.
type state struct {
	Version int         `json:"version"`
	Files   []fileState `json:"files"`
}

// fileState says up to where a file is committed. Bytes behind Length belong to
// events whose delivery was not committed.
type fileState struct {
	Path   string `json:"path"`
	Length int64  `json:"length"`
	Dev    uint64 `json:"dev"`
	Ino    uint64 `json:"ino"`
	// Birth is the inode's, in nanoseconds since 1970; 0 if unknown.
	Birth int64 `json:"birth,omitempty"`
	// Since is what the file's age is counted from.
	Since time.Time `json:"since"`
}

// decodeState reads a stored state; nothing stored is no files. What it can't
// read is an error and not "no files": that would leave uncommitted bytes in
// files and repeat their events.
func decodeState(b []byte) ([]fileState, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read the file sink's stored state: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("the file sink's stored state has version %d and this program reads version %d: run the version of aictail that wrote it",
			s.Version, stateVersion)
	}
	seen := make(map[string]bool, len(s.Files))
	for _, f := range s.Files {
		if !filepath.IsAbs(f.Path) || f.Length < 0 || seen[f.Path] {
			return nil, errors.New("the file sink's stored state is damaged: a file without an absolute path, with a negative length or named twice")
		}
		seen[f.Path] = true
	}
	return s.Files, nil
}

func encodeState(files []fileState) ([]byte, error) {
	b, err := json.Marshal(state{Version: stateVersion, Files: files})
	if err != nil {
		return nil, fmt.Errorf("write the file sink's state: %w", err)
	}
	return b, nil
}
