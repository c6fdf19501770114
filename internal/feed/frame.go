package feed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame is a number, items, and a seal over both and the name of the stream, so that what somebody else writes, or moves
// to another place, is found out. An item is its length and a message: of pgoutput, of those that decode knows besides, or
// a position.

// positionItem has the position in the log (an LSN) up to which everything has been told.
const positionItem = '@'

// sealer seals the frames of a stream.
type sealer struct {
	secret []byte
	stream string
}

func (s sealer) sum(frame []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s.stream)))) // never fails
	_, _ = h.Write([]byte(s.stream))
	_, _ = h.Write(frame)
	return h.Sum(nil)
}

// seal makes a frame.
func (s sealer) seal(number uint64, items [][]byte) []byte {
	frame := binary.BigEndian.AppendUint64(nil, number)
	for _, i := range items {
		frame = append(frame, i...)
	}
	return append(frame, s.sum(frame)...)
}

// open returns what a frame was made of.
func (s sealer) open(frame []byte) (number uint64, items []byte, err error) {
	const head = 8
	end := len(frame) - sha256.Size
	if end < head || !hmac.Equal(s.sum(frame[:end]), frame[end:]) {
		return 0, nil, fmt.Errorf("%w: a frame was not sealed with our secret", errRelay)
	}
	return binary.BigEndian.Uint64(frame), frame[head:end], nil
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
