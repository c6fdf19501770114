package cache

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Key identifies an answer: a hash of everything that it depends on but the data. Two askers with the same Key get the
// same answer, so make it with a cryptographic hash where the parts come from outside.
type Key [16]byte

// KeyOf returns the first half of the SHA-256 of the parts, each with its length.
func KeyOf(parts ...string) Key {
	var buffer [256]byte
	b := buffer[:0]
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}

const (
	tupleSeed = 0x9e3779b97f4a7c15 // the golden ratio, as in Knuth's multiplicative hashing
	tupleStep = 0xff51afd7ed558ccd // the first multiplier of MurmurHash3's finaliser
)

// HashTuple hashes the canonical texts of the values of a tuple's columns, for Watch.Values. It is the same in all
// processes. It is not collision-resistant: a collision costs an entry that could have stayed.
//
// It stands for equality only where equal values have equal texts: not for numeric (1.0 = 1), nor for text under a
// nondeterministic collation.
func HashTuple(texts ...string) uint64 {
	h := uint64(tupleSeed)
	for _, text := range texts {
		h = hashMore(h, text)
	}
	return h
}

func hashMore(h uint64, text string) uint64 {
	h = (h ^ xxhash.Sum64String(text)) * tupleStep
	return h ^ h>>32
}

// hash returns the hash of the row's tuple of columns when its state is Known. A tuple with a Null equals nothing,
// whatever else is in it.
func (r Row) hash(columns []Column) (uint64, State) {
	h, state := uint64(tupleSeed), Known
	for _, c := range columns {
		switch d := r.at(c); d.State {
		case Null:
			return 0, Null
		case Unknown:
			state = Unknown
		case Known:
			h = hashMore(h, d.Text)
		}
	}
	return h, state
}
