package writetoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Header is the field of answers to writes that has a token, and of the reads that bring one, or several with commas
// between.
const Header = "Consistency-Token"

// Place is what a token says: answers must come from a state that has reached it.
type Place struct {
	// LSN is in the write-ahead log, and comparable with those of the same history only.
	LSN      uint64
	timeline uint32
	system   uint32 // a hash: who has a token need not know the cluster's identifier
}

// PlaceOf is where a commit has ended, as pg.Options.Committed has it.
func PlaceOf(p pg.Position) Place {
	return Place{LSN: p.LSN, timeline: p.Timeline, system: hash(p.System)}
}

// Within reports whether the LSN is one of the log of a system's timeline. In that of a later timeline, the place may or may
// not be: a promoted standby need not have replayed all.
func (p Place) Within(system uint64, timeline uint32) bool {
	return p.timeline == timeline && p.system == hash(system)
}

func hash(system uint64) uint32 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("slipstream system "), system))
	return binary.BigEndian.Uint32(sum[:])
}

// A token is 33 bytes, which is 44 characters in base64url: the version, the place, and the first half of an HMAC-SHA256 of
// both (RFC 2104, section 5). Without that, anybody could have every read go to the database, by a place in the future.
const (
	version   = 1
	signedLen = 1 + 4 + 4 + 8
	macLen    = sha256.Size / 2
	tokenLen  = (signedLen + macLen) / 3 * 4
)

// Key signs tokens. Instances that share it accept each other's.
type Key []byte

// Sign makes the token of a place.
func (k Key) Sign(p Place) string {
	b := make([]byte, 0, signedLen+macLen)
	b = append(b, version)
	b = binary.BigEndian.AppendUint32(b, p.system)
	b = binary.BigEndian.AppendUint32(b, p.timeline)
	b = binary.BigEndian.AppendUint64(b, p.LSN)
	return base64.RawURLEncoding.EncodeToString(append(b, k.mac(b)...))
}

// Verify reads a token; false where it was not signed with the key.
func (k Key) Verify(token string) (Place, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(token) != tokenLen || b[0] != version || !hmac.Equal(b[signedLen:], k.mac(b[:signedLen])) {
		return Place{}, false
	}
	return Place{system: binary.BigEndian.Uint32(b[1:]), timeline: binary.BigEndian.Uint32(b[5:]), LSN: binary.BigEndian.Uint64(b[9:])}, true
}

// VerifyAll reads the tokens of a header field. It returns the last of their places, if all are of one history; else false,
// as for a token that cannot be verified.
func (k Key) VerifyAll(lines []string) (last Place, ok bool) {
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			p, valid := k.Verify(strings.TrimSpace(token))
			if !valid || ok && (p.system != last.system || p.timeline != last.timeline) {
				return Place{}, false
			}
			last.LSN, last.system, last.timeline, ok = max(last.LSN, p.LSN), p.system, p.timeline, true
		}
	}
	return last, ok
}

func (k Key) mac(b []byte) []byte {
	h := hmac.New(sha256.New, k)
	_, _ = h.Write(b) // a hash takes everything
	return h.Sum(nil)[:macLen]
}
