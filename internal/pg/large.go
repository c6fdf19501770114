package pg

import (
	"encoding/binary"
	"errors"
	"math"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"
)

// largeValue is the size, in bytes, from which a value is sent from where it is: a copy of it among the messages would
// double the memory that a large write takes.
const largeValue = 64 << 10

// outside is a value that stands between two of the bytes of a trip's messages.
type outside struct {
	at    int // how many of the messages' bytes come before it
	value []byte
}

// clearOut forgets the messages.
func (t *trip) clearOut() {
	clear(t.outside) // which would keep the values
	t.out, t.outside = t.out[:0], t.outside[:0]
}

// encodeBind makes the message, with large values outside.
func (t *trip) encodeBind() {
	size := 0
	large := false
	for _, p := range t.bind.Parameters {
		size += len(p)
		large = large || len(p) >= largeValue
	}
	switch {
	case !large || len(t.bind.Parameters) > math.MaxUint16: // which is refused there
		t.encode(&t.bind)
	case t.tooLarge != nil:
	case size > mostMessage:
		t.tooLarge = errors.New("encode a statement: its values are too large for one message")
	default:
		t.encodeLarge(&t.bind)
	}
}

// mostMessage is the largest message that PostgreSQL takes, in bytes, less room for everything but the values
// (PQ_LARGE_MESSAGE_LIMIT in src/include/libpq/libpq.h).
const mostMessage = 0x3fffffff - 1<<20

// encodeLarge makes a Bind with all its values in text format
// (https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-BIND).
func (t *trip) encodeLarge(m *pgproto3.Bind) {
	out := append(t.out, 'B', 0, 0, 0, 0)
	start, elsewhere := len(out)-4, 0
	out = append(append(append(out, m.DestinationPortal...), 0), m.PreparedStatement...)
	out = append(out, 0, 0, 0)
	out = binary.BigEndian.AppendUint16(out, uint16(len(m.Parameters)))
	for _, p := range m.Parameters {
		if p == nil {
			out = append(out, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		if len(p) < largeValue {
			out = append(out, p...)
			continue
		}
		t.outside = append(t.outside, outside{len(out), p})
		elsewhere += len(p)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(m.ResultFormatCodes)))
	for _, code := range m.ResultFormatCodes {
		out = binary.BigEndian.AppendUint16(out, uint16(code))
	}
	binary.BigEndian.PutUint32(out[start:], uint32(len(out)-start+elsewhere))
	t.out = out
}

// write sends the messages.
func (t *trip) write(conn net.Conn) error {
	from := 0
	for _, o := range t.outside {
		if _, err := conn.Write(t.out[from:o.at]); err != nil {
			return err
		}
		if _, err := conn.Write(o.value); err != nil {
			return err
		}
		from = o.at
	}
	_, err := conn.Write(t.out[from:])
	return err
}
