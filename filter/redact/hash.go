package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// A hash token is [hash:k1: and 32 letters of a to p and ]. 24 of the letters are 96
// bits of the HMAC-SHA-256 of the value, of which a billion values have a chance of
// one in 10^11 to share one. The last 8 are a HMAC of the others: by them a token
// is told from a value that only looks like one, so that doing it twice changes
// nothing. There are no digits in it for other detectors to find.
const (
	hashOpen    = "[hash:"
	hashLetters = 24
	hashCheck   = 8
)

// hasher computes keyed hashes. It belongs to one Redactor.
type hasher struct {
	ids  []string
	macs []hash.Hash

	sum   [sha256.Size]byte
	canon []byte // the canonical form of the value at hand
	prf   stream
}

func newHasher(ring *Keyring) *hasher {
	h := &hasher{}
	if ring != nil {
		for _, key := range ring.keys {
			h.ids = append(h.ids, key.id)
			h.macs = append(h.macs, hmac.New(sha256.New, key.secret))
		}
	}
	return h
}

// digest leaves the HMAC by key k of the text in h.sum. The purpose keeps hashes for
// different ends apart.
func (h *hasher) digest(k int, purpose string, text []byte) {
	mac := h.macs[k]
	mac.Reset()
	h.sum = [sha256.Size]byte{}
	n := copy(h.sum[:], purpose)
	mac.Write(h.sum[:n+1]) // with a 0 at its end; a hash's Write never fails
	mac.Write(text)
	mac.Sum(h.sum[:0])
}

// appendHash appends the token of a value, or the value itself if it is a token.
func (h *hasher) appendHash(dst, value []byte) []byte {
	if h.isHash(value) {
		return append(dst, value...)
	}
	h.canon = appendCanonical(h.canon[:0], value)
	h.digest(0, "hash", h.canon)
	dst = append(dst, hashOpen...)
	dst = append(dst, h.ids[0]...)
	dst = append(dst, ':')
	at := len(dst)
	dst = appendLetters(dst, h.sum[:hashLetters/2])
	h.digest(0, "check", dst[at:])
	return append(appendLetters(dst, h.sum[:hashCheck/2]), ']')
}

// isHash reports whether the value is a token of one of the keys.
func (h *hasher) isHash(value []byte) bool {
	if end, ok := hashToken(value, 0); !ok || end != len(value) {
		return false
	}
	id, body, _ := bytes.Cut(value[len(hashOpen):len(value)-1], []byte{':'})
	for k := range h.ids {
		if h.ids[k] == string(id) {
			h.digest(k, "check", body[:hashLetters])
			var check [hashCheck]byte
			return bytes.Equal(appendLetters(check[:0], h.sum[:hashCheck/2]), body[hashLetters:])
		}
	}
	return false
}

// hashToken reports whether t[i:] begins with something of a token's form, and where
// it ends.
func hashToken(t []byte, i int) (end int, ok bool) {
	if !hasAt(t, i, hashOpen) {
		return 0, false
	}
	i += len(hashOpen)
	id := i
	for i < len(t) && i-id <= maxKeyID && t[i] != ':' {
		i++
	}
	end = i + 1 + hashLetters + hashCheck
	if end >= len(t) || t[i] != ':' || t[end] != ']' || !isKeyID(string(t[id:i])) {
		return 0, false
	}
	for _, c := range t[i+1 : end] {
		if c < 'a' || c > 'p' {
			return 0, false
		}
	}
	return end + 1, true
}

// appendLetters appends each half of each byte as a letter of a to p.
func appendLetters(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, 'a'+c>>4, 'a'+c&0xF)
	}
	return dst
}

// stream is a source of keyed pseudo-random numbers that are the same for the same
// value.
type stream struct {
	h     *hasher
	key   int
	name  string
	seed  [sha256.Size + 8]byte
	block [sha256.Size]byte
	used  int
	count uint64
}

// stream begins the stream of a value by the newest key.
func (h *hasher) stream(purpose string, value []byte) *stream {
	h.canon = appendCanonical(h.canon[:0], value)
	return h.streamOf(0, purpose, h.canon)
}

func (h *hasher) streamOf(key int, purpose string, text []byte) *stream {
	h.digest(key, purpose, text)
	h.prf = stream{h: h, key: key, name: purpose, used: sha256.Size}
	copy(h.prf.seed[:], h.sum[:])
	return &h.prf
}

// below returns a number from 0 to n-1, for n up to 256. Of the 65,536 values that
// it is taken from, the smaller numbers get at most one more each.
func (s *stream) below(n int) int {
	if s.used+2 > len(s.block) {
		binary.BigEndian.PutUint64(s.seed[sha256.Size:], s.count)
		s.h.digest(s.key, s.name+":next", s.seed[:])
		s.block, s.used, s.count = s.h.sum, 0, s.count+1
	}
	v := binary.BigEndian.Uint16(s.block[s.used:])
	s.used += 2
	return int(v) % n
}

func (s *stream) digit() byte { return '0' + byte(s.below(10)) }
