package feed

import (
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

// Decode takes one message, and returns the transaction that it ends, if any.
func (d *Decoder) Decode(data []byte) (*Transaction, error) {
	done, err := d.d.decode(data)
	if done == nil {
		return nil, err
	}
	return &done.Transaction, err
}
