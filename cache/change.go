package cache

// Table is any number that stands for a set of rows, such as the OID of a table.
type Table uint32

// Column is the number of a column in its table, from 1.
type Column int16

// Mark is a place in the source's history: the transaction, and the position just after its commit. In PostgreSQL the
// low 32 bits of the transaction id, and the end LSN that pgoutput gives with Commit.
type Mark struct {
	Xid uint32
	LSN uint64
}

// Stamp is what the state that an answer was computed from had seen: a snapshot, or a standby's replay position.
//
// Saw must never claim too much. A nil Stamp has seen nothing, which is always true enough (see the package's
// documentation). A Stamp may have a method Size() int, the bytes it takes; else it counts as 64.
type Stamp interface {
	Saw(Mark) bool
}

// State says what is known of a datum.
type State uint8

// The states of a Datum. Unknown counts as a match wherever a watch looks at it.
const (
	Unknown State = iota // not in the log: unchanged TOAST, or an old row of which the key alone is logged
	Null
	Known
)

// Datum is a value in a row of a change. Text is the canonical text of a Known one: what PostgreSQL prints, with the
// date style ISO and the time zone UTC.
type Datum struct {
	State State
	Text  string
}

// DatumOf returns a Known datum.
func DatumOf(text string) Datum { return Datum{State: Known, Text: text} }

// Row is a row of a change, by column number - 1. What a shorter one lacks is Unknown; nil is no row at all.
type Row []Datum

func (r Row) at(c Column) Datum {
	if c < 1 || int(c) > len(r) {
		return Datum{}
	}
	return r[c-1]
}

// Change is what a transaction did to a row. An insert has no Before, a delete no After, an update both: where the log
// has the key of the old row alone, the rest of Before is Unknown. Whole stands for a change of any rows: TRUNCATE, or
// a transaction that changed too many to list.
type Change struct {
	Mark   Mark
	Table  Table
	Whole  bool
	Before Row
	After  Row
}

// longText is the length in bytes from which the text of a remembered change is not worth its memory.
const longText = 256

// compact returns the row as it is remembered for the fills under way: long texts become Unknown, which rejects a fill
// too many at worst.
func (r Row) compact() Row {
	kept := r
	for i := range r {
		if len(r[i].Text) <= longText {
			continue
		}
		if &kept[0] == &r[0] {
			kept = append(Row(nil), r...)
		}
		kept[i] = Datum{}
	}
	return kept
}

func (r Row) size() int {
	const datum = 24
	n := datum * len(r)
	for i := range r {
		n += len(r[i].Text)
	}
	return n
}
