package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
)

const (
	requestIDHeader = "X-Request-Id"
	idLength        = 32 // 128 bits in hexadecimal
	idsPerBlock     = 64
)

// idSource makes request ids by the block, so that one allocation serves many requests.
// An id must be unlikely to come twice, not hard to guess.
type idSource struct{ blocks sync.Pool }

type idBlock struct {
	text string
	used int
}

func (s *idSource) next() string {
	b, _ := s.blocks.Get().(*idBlock)
	if b == nil || b.used == idsPerBlock {
		b = &idBlock{text: newIDs()}
	}
	id := b.text[b.used*idLength : (b.used+1)*idLength]
	b.used++
	s.blocks.Put(b)
	return id
}

func newIDs() string {
	var raw [idsPerBlock * idLength / 2]byte
	for i := 0; i < len(raw); i += 8 {
		binary.LittleEndian.PutUint64(raw[i:], rand.Uint64())
	}
	return hex.EncodeToString(raw[:])
}

// saneID accepts a client's id that is safe to log and to echo: 1 to 128 letters, digits
// and -_.:=+/@ characters.
func saneID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '+', c == '/', c == '@':
		default:
			return false
		}
	}
	return true
}
