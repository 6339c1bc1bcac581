package tailer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"
	"time"

	"aictail"
	"aictail/tailer/aic"
)

// idLen is the length of a hashed id in hexadecimal digits.
const idLen = 32

// identifier gives every entry the id that it has however and how often it is
// read. It is not safe for concurrent use.
//
// The id of an audit event is the payload's _id. Any other entry's is a hash of
// its source, its envelope timestamp and its payload, with an ordinal among
// entries in which all three are equal. Two entries with the same text and
// different timestamps are two events.
//
// An event that was put together of several entries is identified by the whole.
// If the tail and the sweep put it together differently, because one of them saw
// less, both are forwarded: lines are rather repeated than lost.
//
// The debug sources (am-core, idm-core, ws-core) log objects of anybody's
// making: a script that logs a user logs the user's _id, the same in every
// entry. There an _id counts only if it has the form of the audit log's own.
// Elsewhere it must at least be a long hexadecimal number: an id is not redacted, and
// letters and digits alone may be a token or somebody's tax code.
type identifier struct {
	hash hash.Hash
	sum  [sha256.Size]byte
	head []byte // scratch: what is hashed before the payload
	ids  []byte // the hashed ids handed out since reset

	// equals counts the entries by hash that have the timestamp last.
	last   time.Time
	equals map[[sha256.Size]byte]uint64
}

func newIdentifier() *identifier {
	return &identifier{hash: sha256.New(), equals: make(map[[sha256.Size]byte]uint64)}
}

// startPage forgets the ordinals: they count within a page.
func (d *identifier) startPage() {
	d.last = time.Time{}
	clear(d.equals)
}

// reset reuses the memory of the ids handed out so far.
func (d *identifier) reset() { d.ids = d.ids[:0] }

// id returns the entry's id, valid until reset or the page's next chunk.
func (d *identifier) id(e *aic.Entry) []byte {
	if isAuditID(e.ID) || isPlainID(e.ID) && !strings.HasSuffix(e.Source, "-core") {
		return e.ID
	}
	d.digest(e, 0)
	if !e.Time.Equal(d.last) {
		d.last = e.Time
		clear(d.equals)
	}
	ordinal := d.equals[d.sum]
	d.equals[d.sum] = ordinal + 1
	if ordinal > 0 {
		d.digest(e, ordinal)
	}
	start := len(d.ids)
	d.ids = hex.AppendEncode(d.ids, d.sum[:idLen/2])
	return d.ids[start:len(d.ids):len(d.ids)]
}

// digest leaves the hash of the entry in d.sum. An entry without a readable
// timestamp or payload is hashed as it stands, so that its own text tells it
// from others.
func (d *identifier) digest(e *aic.Entry, ordinal uint64) {
	body := e.Payload.Of(e.Raw)
	if body == nil || e.Time.IsZero() {
		body = e.Raw
	}
	d.head = append(append(d.head[:0], e.Source...), 0)
	d.head = binary.BigEndian.AppendUint64(d.head, uint64(e.Time.UnixNano()))
	d.head = binary.BigEndian.AppendUint64(d.head, ordinal)
	d.hash.Reset()
	d.hash.Write(d.head) // a hash's Write never fails (hash.Hash)
	d.hash.Write(body)
	d.hash.Sum(d.sum[:0])
}

// isAuditID reports whether id has the form of the audit log's _id: a UUID, a
// hyphen and a number, as 45463f84-ff1b-499f-aa84-8d4bd93150de-256203.
func isAuditID(id []byte) bool {
	const uuid = 36
	if len(id) < uuid+2 {
		return false
	}
	for i, c := range id {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23 || i == uuid:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9':
		case i < uuid && (c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'):
		default:
			return false
		}
	}
	return true
}

// isPlainID reports whether id is a UUID or another number of at least 32 hexadecimal
// digits, with hyphens. Names, tokens and the numbers of people are shorter or have
// other letters in them.
func isPlainID(id []byte) bool {
	const least, most = 32, 128
	digits := 0
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			digits++
		case c != '-':
			return false
		}
	}
	return digits >= least && len(id) <= most
}

// event makes the event that goes on from an entry.
func event(tenant string, e *aic.Entry, id []byte) aictail.Event {
	return aictail.Event{
		ID: id, Tenant: tenant, Source: e.Source, Type: e.Type,
		Time: e.Time, Raw: e.Raw, Payload: e.Payload,
	}
}
