package feed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// The messages of pgoutput, protocol version 1
// (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html).
const (
	beginMessage    = 'B'
	commitMessage   = 'C'
	relationMessage = 'R'
	insertMessage   = 'I'
	updateMessage   = 'U'
	deleteMessage   = 'D'
	truncateMessage = 'T'
	logicalMessage  = 'M'
	typeMessage     = 'Y'
	originMessage   = 'O'
)

// manyMessage is not pgoutput's: it stands for all changes of a table, by its OID, in a transaction that is relayed.
const manyMessage = 'm'

// The prefixes of the logical messages that concern us.
const (
	heartbeatPrefix = "ss.hb"
	schemaPrefix    = "ss.ddl"
	refreshPrefix   = "ss.refresh"
)

// relation is a table as the stream describes it, ahead of its first change and after changes of its definition.
type relation struct {
	columns []relationColumn
	// catalog is the one in which position was looked up.
	catalog *catalog
	// position of each column in a row; nil when the catalog does not know the relation, or another form of it.
	position []int
	width    int
}

type relationColumn struct {
	name       string
	typeOID    uint32
	inIdentity bool
}

// decoder assembles transactions from messages.
type decoder struct {
	// catalog to look columns up in; nil while none can be relied upon.
	catalog   *atomic.Pointer[catalog]
	relations map[uint32]*relation
	// open is the transaction whose Commit has not come; nil between transactions.
	open *assembly
	// relayed is set where the messages come from a leader.
	relayed bool
}

// decode takes one message and returns the transaction that it ends, if any.
func (d *decoder) decode(data []byte) (*assembly, error) {
	if len(data) == 0 {
		return nil, errors.New("empty message in the stream")
	}
	m := &message{kind: data[0], rest: data[1:]}
	var done *assembly
	switch {
	case m.kind == relationMessage:
		d.relation(m)
	case m.kind == beginMessage && d.open == nil:
		d.begin(m)
	case m.kind == typeMessage || m.kind == originMessage:
		return nil, nil
	case m.kind == logicalMessage:
		d.logical(m)
	case d.open == nil:
		return nil, fmt.Errorf("message %q outside of a transaction", m.kind)
	case m.kind == commitMessage:
		m.take(1 + 8) // flags, start of the commit record
		d.open.EndLSN = m.uint64()
		m.take(8) // time
		done, d.open = d.open, nil
	case m.kind == truncateMessage:
		d.truncate(m)
	case m.kind == manyMessage && d.relayed:
		d.open.collapse(m.uint32())
	case m.kind == insertMessage || m.kind == updateMessage || m.kind == deleteMessage:
		d.change(m)
	default:
		return nil, fmt.Errorf("unknown message %q in the stream", m.kind)
	}
	if m.err != nil {
		return nil, fmt.Errorf("message %q in the stream: %w", m.kind, m.err)
	}
	return done, nil
}

func (d *decoder) begin(m *message) {
	m.take(8 + 8) // end of the transaction, its time
	d.open = newAssembly(m.uint32())
}

// logical takes the messages that pg_logical_emit_message() wrote.
func (d *decoder) logical(m *message) {
	prefix, content := m.logical()
	if d.open == nil {
		return
	}
	switch prefix {
	case heartbeatPrefix:
		d.open.heartbeat = string(content)
	case schemaPrefix:
		// Rows before and after it in the transaction can have different columns.
		d.open.schemaChanged = true
		d.open.collapseAll()
	case refreshPrefix:
		if oid, ok := refreshed(content); ok {
			d.open.collapse(oid)
		}
	}
}

// logical reads a message that pg_logical_emit_message() wrote. Only those of transactions have a prefix here: the others
// come before their transaction is committed.
func (m *message) logical() (prefix string, content []byte) {
	transactional := m.byte() == 1
	m.uint64() // position
	prefix = m.string()
	content = m.take(int(m.uint32()))
	if !transactional || m.err != nil {
		return "", nil
	}
	return prefix, content
}

// refreshed reads which materialised view a message tells of. Everybody may write others.
func refreshed(content []byte) (oid uint32, ok bool) {
	n, err := strconv.ParseUint(string(content), 10, 32)
	return uint32(n), err == nil
}

func (d *decoder) relation(m *message) {
	oid := m.uint32()
	m.string() // schema
	m.string() // name
	m.byte()   // replica identity
	r := &relation{}
	for n := m.uint16(); n > 0 && m.err == nil; n-- {
		c := relationColumn{inIdentity: m.byte()&1 != 0}
		c.name, c.typeOID = m.string(), m.uint32()
		m.uint32() // type modifier
		r.columns = append(r.columns, c)
	}
	d.relations[oid] = r
}

// lookup returns the relation with its positions, or nil where changes of it cannot be told apart.
func (d *decoder) lookup(oid uint32) *relation {
	r := d.relations[oid]
	c := d.catalog.Load()
	if r == nil || c == nil {
		return nil
	}
	if r.catalog != c {
		r.catalog = c
		r.position, r.width = c.locate(oid, r.columns)
	}
	if r.position == nil {
		return nil
	}
	return r
}

func (d *decoder) truncate(m *message) {
	n := m.uint32()
	m.byte() // cascade, restart identity
	for range n {
		oid := m.uint32()
		if m.err != nil {
			return
		}
		d.open.add(Change{Relation: oid, Kind: Truncate}, 0)
	}
}

func (d *decoder) change(m *message) {
	oid := m.uint32()
	if m.err != nil || d.open.collapsed(oid) {
		return
	}
	r := d.lookup(oid)
	if r == nil {
		d.open.collapse(oid)
		return
	}
	size := len(m.rest)
	m.rest = slices.Clone(m.rest) // the values refer to it
	c := Change{Relation: oid}
	switch m.kind {
	case insertMessage:
		c.Kind = Insert
		m.expect("N")
		c.New = r.row(m, false)
	case updateMessage:
		c.Kind = Update
		c.Old, c.New = r.update(m)
	case deleteMessage:
		c.Kind = Delete
		key := m.expect("KO") == 'K'
		c.Old = r.row(m, key)
	}
	if m.err == nil {
		d.open.add(c, size)
	}
}

// update reads both rows. The old one is there only where the identity changed or is FULL; else its identity is the
// new one's. A value that was left in TOAST is the old one.
func (r *relation) update(m *message) (old, new []Value) {
	mark := m.expect("KON")
	if mark == 'N' {
		new = r.row(m, false)
		old = make([]Value, r.width)
		for i, c := range r.columns {
			if at := r.position[i]; c.inIdentity && m.err == nil {
				old[at] = new[at]
			}
		}
		return old, new
	}
	old = r.row(m, mark == 'K')
	m.expect("N")
	new = r.row(m, false)
	for i := range new {
		if new[i].State == Unknown && m.err == nil {
			new[i] = old[i]
		}
	}
	return old, new
}

// row reads a row. Of a row that is a key, only the columns of the identity count: the others are sent as null.
func (r *relation) row(m *message, key bool) []Value {
	row := make([]Value, r.width)
	n := int(m.uint16())
	if n != len(r.columns) {
		m.fail(fmt.Errorf("row of %d columns in a table of %d", n, len(r.columns)))
		return row
	}
	for i, c := range r.columns {
		var v Value
		switch kind := m.byte(); kind {
		case 'n':
			v.State = Null
		case 't':
			v = Value{Known, m.take(int(m.uint32()))}
		case 'u':
		default:
			m.fail(fmt.Errorf("unknown kind of value %q", kind))
		}
		if !key || c.inIdentity {
			row[r.position[i]] = v
		}
	}
	return row
}

// message reads the parts of a message. After the first that is missing, all are zero.
type message struct {
	kind byte
	rest []byte
	err  error
}

func (m *message) fail(err error) {
	if m.err == nil {
		m.err = err
	}
	m.rest = nil
}

func (m *message) take(n int) []byte {
	if n < 0 || n > len(m.rest) {
		m.fail(errors.New("it ends too early"))
		return nil
	}
	part := m.rest[:n:n]
	m.rest = m.rest[n:]
	return part
}

func (m *message) byte() byte {
	if b := m.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (m *message) uint16() uint16 {
	if b := m.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (m *message) uint32() uint32 {
	if b := m.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (m *message) uint64() uint64 {
	if b := m.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (m *message) string() string {
	end := slices.Index(m.rest, 0)
	if end < 0 {
		m.fail(errors.New("it ends too early"))
		return ""
	}
	s := string(m.rest[:end])
	m.rest = m.rest[end+1:]
	return s
}

// expect reads a mark that must be one of several.
func (m *message) expect(marks string) byte {
	mark := m.byte()
	if strings.IndexByte(marks, mark) < 0 {
		m.fail(fmt.Errorf("%q where one of %q belongs", mark, marks))
	}
	return mark
}
