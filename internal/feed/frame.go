package feed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// A frame is a number and sealed items. An item is its length and a message: of pgoutput, of those that decode knows
// besides, or a position.

// positionItem has the position in the log (an LSN) up to which everything has been told.
const positionItem = '@'

// sealer encrypts the frames of a stream, by a key of the stream's own and their number: what somebody else writes, or
// moves to another place, is found out, and nobody else sees the rows.
type sealer struct {
	stream string
	aead   cipher.AEAD
}

func newSealer(secret []byte, stream string) sealer {
	key, err := hkdf.Key(sha256.New, secret, nil, "slipstream feed "+stream, sha256.Size)
	if err != nil {
		panic(err) // only an impossible length is an error
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // as before
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // as before
	}
	return sealer{stream, aead}
}

func (s sealer) nonce(number uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, s.aead.NonceSize()-8), number)
}

// seal makes a frame. No two of a stream may have the same number.
func (s sealer) seal(number uint64, items [][]byte) []byte {
	return s.aead.Seal(binary.BigEndian.AppendUint64(nil, number), s.nonce(number), slices.Concat(items...), nil)
}

// open returns what a frame was made of.
func (s sealer) open(frame []byte) (number uint64, items []byte, err error) {
	if len(frame) >= 8 {
		number = binary.BigEndian.Uint64(frame)
		items, err = s.aead.Open(nil, s.nonce(number), frame[8:], nil)
	}
	if len(frame) < 8 || err != nil {
		return 0, nil, fmt.Errorf("%w: a frame was not sealed with our secret", errRelay)
	}
	return number, items, nil
}

// position is an item's message.
func position(lsn uint64) []byte { return binary.BigEndian.AppendUint64([]byte{positionItem}, lsn) }

func appendItem(to []byte, message ...byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(message)))
	return append(to, message...)
}

// deliver gives a frame's items to a receiver.
func deliver(items []byte, to receiver) error {
	for len(items) > 0 {
		if len(items) < 4 {
			return errors.New("a frame ends too early")
		}
		size := int(binary.BigEndian.Uint32(items))
		items = items[4:]
		if size == 0 || size > len(items) {
			return fmt.Errorf("an item of %d bytes in the last %d of a frame", size, len(items))
		}
		item := items[:size:size]
		items = items[size:]
		switch {
		case item[0] != positionItem:
			if err := to.message(item); err != nil {
				return err
			}
		case size != 1+8:
			return fmt.Errorf("a position of %d bytes", size-1)
		default:
			to.reached(binary.BigEndian.Uint64(item[1:]))
		}
	}
	return nil
}
