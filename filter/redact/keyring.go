package redact

import (
	"errors"
	"fmt"
	"strings"
)

// minKey is the length of the shortest key in characters: 32 hexadecimal digits
// have 128 bits, which nobody guesses.
const minKey = 32

// maxKeyID bounds the ids, which are a part of every token.
const maxKeyID = 16

// Keyring holds the keys of the actions hash and tokenise, the newest first. It
// prints as nothing but a mask.
type Keyring struct{ keys []hashKey }

// hashKey is one key with its id.
type hashKey struct {
	id     string
	secret []byte
}

// ParseKeyring reads keys from the text of a key file: one key a line as "id: key",
// the newest first; a single key may stand alone and then has the id k1. Lines
// that begin with # are comments. The error does not repeat the text.
func ParseKeyring(text string) (*Keyring, error) {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("has no key in it: create one with openssl rand -hex 32")
	}
	ring := &Keyring{}
	seen := map[string]bool{}
	for n, line := range lines {
		id, key, found := strings.Cut(line, ":")
		if id = strings.TrimSpace(id); !found && len(lines) == 1 {
			id, key = "k1", line
		} else if !found {
			return nil, fmt.Errorf("key %d has no id: with several keys, write each as id: key", n+1)
		}
		key = strings.TrimSpace(key)
		switch {
		case !isKeyID(id):
			return nil, fmt.Errorf("the id of key %d is not 1 to %d characters of a-z and 0-9", n+1, maxKeyID)
		case seen[id]:
			return nil, fmt.Errorf("key %d has the id of another key: every key needs its own", n+1)
		case len(key) < minKey:
			return nil, fmt.Errorf("key %d is too short: want at least %d characters, such as from openssl rand -hex 32", n+1, minKey)
		}
		seen[id] = true
		ring.keys = append(ring.keys, hashKey{id: id, secret: []byte(key)})
	}
	return ring, nil
}

func isKeyID(id string) bool {
	for _, c := range []byte(id) {
		if !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= maxKeyID
}

// IDs returns the ids of the keys, the newest first.
func (k *Keyring) IDs() []string {
	var ids []string
	for _, key := range k.keys {
		ids = append(ids, key.id)
	}
	return ids
}

// Format implements fmt.Formatter: all verbs and flags print the mask.
func (k *Keyring) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[secret]")) // fmt keeps the error of a failed write
}

// MarshalText implements encoding.TextMarshaler, which JSON, YAML and zap use.
func (k *Keyring) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
