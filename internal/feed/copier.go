package feed

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync/atomic"
)

// mostCopied bounds what is relayed of one transaction, in bytes. Of a larger one, only the tables are told.
const mostCopied = 1 << 20

// copier passes a stream on to its session, and whole transactions of it to the outgoing stream if there is one.
type copier struct {
	receiver
	// out is nil while nobody follows.
	out atomic.Pointer[outgoing]
	// relations are the tables' last descriptions: the server sends each once, and followers come at any time.
	relations map[uint32][]byte
	// inside is set between the beginning of a transaction and its end.
	inside bool
	// tx is the transaction being copied; nil between transactions, and in one that began before out did.
	tx *copied
}

func newCopier(to receiver) *copier { return &copier{receiver: to, relations: map[uint32][]byte{}} }

// message implements receiver. Those who follow need not wait for our own handlers.
func (c *copier) message(data []byte) error {
	if len(data) > 0 {
		c.copy(data)
	}
	return c.receiver.message(data)
}

// reached implements receiver.
func (c *copier) reached(lsn uint64) {
	if out := c.out.Load(); out != nil && !c.inside {
		out.reached(lsn)
	}
	c.receiver.reached(lsn)
}

// copy copies what of a message concerns those who follow. What cannot be read is for the session to refuse.
func (c *copier) copy(data []byte) {
	m := &message{kind: data[0], rest: data[1:]}
	switch m.kind {
	case relationMessage:
		c.relations[m.uint32()] = slices.Clone(data)
	case beginMessage:
		c.inside = true
		if out := c.out.Load(); out != nil {
			c.tx = &copied{out: out, relations: c.relations, tables: map[uint32]bool{}, begin: slices.Clone(data)}
		}
	}
	if c.tx != nil {
		c.tx.message(data)
	}
	if m.kind == commitMessage {
		c.inside, c.tx = false, nil
	}
}

// copied is a transaction on its way into the outgoing stream.
type copied struct {
	out       *outgoing
	relations map[uint32][]byte
	begin     []byte // its message
	// tables are those that were changed, and described.
	tables map[uint32]bool
	// schema is its first message that the schema has changed.
	schema []byte
	items  []byte
	// large is set when items would be more than mostCopied.
	large bool
}

func (t *copied) message(data []byte) {
	m := &message{kind: data[0], rest: data[1:]}
	switch m.kind {
	case beginMessage:
		t.add(data)
	case relationMessage:
		t.tables[m.uint32()] = true
		t.add(data)
	case insertMessage, updateMessage, deleteMessage:
		t.table(m.uint32())
		t.add(data)
	case truncateMessage:
		n := m.uint32()
		for m.byte(); n > 0 && m.err == nil; n-- {
			t.table(m.uint32())
		}
		t.add(data)
	case logicalMessage:
		t.logical(m, data)
	case commitMessage:
		t.commit(data)
	}
}

func (t *copied) add(message []byte) {
	if t.large = t.large || len(t.items)+len(message) > mostCopied; t.large {
		t.items = nil
		return
	}
	t.items = appendItem(t.items, message...)
}

// table describes a table ahead of its first change.
func (t *copied) table(oid uint32) {
	if t.tables[oid] {
		return
	}
	t.tables[oid] = true
	if r := t.relations[oid]; r != nil {
		t.add(r)
	}
}

// logical copies the messages that sessions know: those of all feeds' heartbeats, too.
func (t *copied) logical(m *message, data []byte) {
	prefix, content := m.logical()
	switch prefix {
	case heartbeatPrefix:
	case schemaPrefix:
		if t.schema == nil {
			t.schema = slices.Clone(data)
		}
	case refreshPrefix:
		if oid, ok := refreshed(content); ok {
			t.table(oid)
		}
	default:
		return
	}
	t.add(data)
}

// commit ends the transaction. A large one has no heartbeat, which is a transaction of its own.
func (t *copied) commit(message []byte) {
	t.add(message)
	if t.large {
		t.items = appendItem(nil, t.begin...)
		if t.schema != nil {
			t.items = appendItem(t.items, t.schema...)
		}
		for _, oid := range slices.Sorted(maps.Keys(t.tables)) {
			t.items = appendItem(t.items, binary.BigEndian.AppendUint32([]byte{manyMessage}, oid)...)
		}
		t.items = appendItem(t.items, message...)
	}
	t.out.add(t.items)
}
