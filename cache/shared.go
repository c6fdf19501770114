package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// sharedFormat is the version of what follows. Entries of others are not read.
const sharedFormat = 1

// shared is an entry as a Tier has it, in CBOR (RFC 8949).
type shared struct {
	_            struct{} `cbor:",toarray"`
	Format       uint
	TTL          time.Duration // from the filling on; 0: none
	Staleness    time.Duration
	Cost         time.Duration
	Dependencies []sharedDependency
	Value        []byte
}

type sharedDependency struct {
	_        struct{} `cbor:",toarray"`
	Table    Table
	Horizon  Horizon
	Side     Side
	Columns  []Column
	Values   []uint64
	Compares []Compare
	Withins  []Within
}

// share returns what others need of an entry, but for its value; nil if that is not enough.
func (e *Entry) share() *shared {
	if len(e.dependencies) == 0 {
		return nil
	}
	s := &shared{Format: sharedFormat, Staleness: e.staleness, Cost: e.cost}
	if e.expires != 0 {
		s.TTL = e.expires - e.filled - e.cost
	}
	for i := range e.dependencies {
		d := &e.dependencies[i]
		stamp, ok := d.stamp.(Bounded)
		if !ok {
			return nil
		}
		w := &d.watch
		out := sharedDependency{Table: w.Table, Horizon: stamp.Horizon(), Side: w.Side, Columns: w.Columns, Values: w.Values}
		for _, t := range w.Terms {
			switch t := t.(type) {
			case Compare:
				out.Compares = append(out.Compares, t)
			case Within:
				out.Withins = append(out.Withins, t)
			} // without the others the watch matches more changes
		}
		s.Dependencies = append(s.Dependencies, out)
	}
	return s
}

func (s *shared) encode() []byte {
	out, err := cbor.Marshal(s)
	if err != nil {
		return nil // what would that be: all of it are numbers and texts
	}
	return out
}

func decodeShared(data []byte) (*shared, error) {
	s := new(shared)
	if err := cbor.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("decode an entry: %w", err)
	}
	if s.Format != sharedFormat || len(s.Dependencies) == 0 || s.TTL < 0 || s.Staleness <= 0 || s.Cost < 0 {
		return nil, errors.New("decode an entry: it is of another format")
	}
	for i := range s.Dependencies {
		if !s.Dependencies[i].valid() {
			return nil, errors.New("decode an entry: a dependency is not valid")
		}
	}
	return s, nil
}

func (d *sharedDependency) valid() bool {
	ok := d.Side <= After && (d.Horizon.Xid == 0) != (d.Horizon.LSN == 0)
	for _, c := range d.Compares {
		ok = ok && c.Op <= IsFalse && c.Kind <= Time
	}
	for _, w := range d.Withins {
		for _, last := range w.Last {
			ok = ok && last.State <= Known
		}
	}
	return ok
}

func (d *sharedDependency) watch() Watch {
	w := Watch{Table: d.Table, Side: d.Side, Columns: d.Columns, Values: d.Values}
	for _, t := range d.Compares {
		w.Terms = append(w.Terms, t)
	}
	for _, t := range d.Withins {
		w.Terms = append(w.Terms, t)
	}
	return w.own()
}
