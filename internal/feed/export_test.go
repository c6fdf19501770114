package feed

import (
	"bytes"
	"sync/atomic"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Decoder is a decoder for a catalog of one table with columns of these names, the first of which is its identity.
type Decoder struct{ d decoder }

func NewDecoder(oid uint32, names ...string) *Decoder {
	t := &published{Table: Table{Identity: []int16{1}}}
	for i, name := range names {
		t.columns = append(t.columns, column{number: int16(i + 1), name: name, typeOID: 25})
	}
	d := &Decoder{decoder{catalog: new(atomic.Pointer[catalog]), relations: map[uint32]*relation{}}}
	d.d.catalog.Store(&catalog{snapshot: pg.Snapshot{}, tables: map[uint32]*published{oid: t}})
	return d
}

// OfRelayed makes it a decoder of messages that come from a leader.
func (d *Decoder) OfRelayed() { d.d.relayed = true }

// Decode takes one message, and returns the transaction that it ends, if any.
func (d *Decoder) Decode(data []byte) (*Transaction, error) {
	done, err := d.d.decode(data)
	if done == nil {
		return nil, err
	}
	return &done.Transaction, err
}

// received is a receiver that keeps what it gets.
type received struct{ messages [][]byte }

func (r *received) message(data []byte) error {
	r.messages = append(r.messages, bytes.Clone(data))
	return nil
}
func (r *received) reached(uint64)    {}
func (r *received) delivered() uint64 { return 0 }

// Relayed are the messages that those who follow get of these. Who follows came when some had gone by.
func Relayed(before, messages [][]byte) ([][]byte, error) {
	c := newCopier(&received{})
	pass := func(all [][]byte) error {
		for _, m := range all {
			if err := c.message(m); err != nil {
				return err
			}
		}
		return nil
	}
	if err := pass(before); err != nil {
		return nil, err
	}
	out := newOutgoing([]byte("secret"), "stream")
	c.out.Store(out)
	if err := pass(messages); err != nil {
		return nil, err
	}
	items, _ := out.take()
	_, opened, err := out.open(out.seal(1, items))
	if err != nil {
		return nil, err
	}
	var to received
	err = deliver(opened, &to)
	return to.messages, err
}
