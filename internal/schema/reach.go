package schema

import (
	"slices"
	"strconv"
)

// Reach is what the rows that a caller sees of a relation depend on, besides the caller's role: everything behind it, through views,
// policies and the functions in them. For a function, it is the same of its result.
type Reach struct {
	// Tables are the OIDs of the tables whose rows are read, those of partitions and of inheriting tables included, in ascending
	// order.
	Tables []uint32
	// Single is true where the rows are those of one ordinary table, as they are stored, less those that policies hide
	// which look at nothing but the row and Settings: not at other rows of the table either. Tables then has its OID alone.
	Single bool
	// Settings are the settings that are read, in a stable order.
	Settings []SettingRead
	// Opaque says in a few words why the rows may depend on more than Tables and Settings; empty if they do not.
	Opaque string
}

// SettingRead is a use of current_setting.
type SettingRead struct {
	// Name of the setting, such as request.jwt.claims.
	Name string
	// Claim is the only member of the JSON object in the setting that is looked at, or empty where all of its text may matter.
	Claim string
}

// SortSettings puts settings in a stable order and leaves each in once.
func SortSettings(s []SettingRead) []SettingRead {
	slices.SortFunc(s, func(a, b SettingRead) int { return Name{a.Name, a.Claim}.compare(Name{b.Name, b.Claim}) })
	return slices.Compact(s)
}

// reached is what is behind one relation, one step further.
type reached struct {
	kind      Kind
	catalog   bool // one of PostgreSQL's own
	permanent bool // neither temporary nor unlogged
	children  []uint32
	uses      uses
}

// uses are what expressions make use of.
type uses struct {
	relations []uint32
	functions []uint32
	settings  []SettingRead
	opaque    string
}

func (u *uses) because(reason string) {
	if u.opaque == "" {
		u.opaque = reason
	}
}

func (u *uses) add(o uses) {
	u.relations = append(u.relations, o.relations...)
	u.functions = append(u.functions, o.functions...)
	u.settings = append(u.settings, o.settings...)
	u.because(o.opaque)
}

// reachGraph is all that can be reached from the exposed relations.
type reachGraph struct {
	relations map[uint32]*reached
	functions map[uint32]*calledFunction
}

// of follows everything from one relation.
func (g *reachGraph) of(oid uint32) Reach {
	w := newReachWalk(g)
	w.root = oid
	w.relation(oid)
	r := &w.reach
	slices.Sort(r.Tables)
	r.Settings = SortSettings(r.Settings)
	root := g.relations[oid]
	r.Single = root != nil && root.kind == Table && len(r.Tables) == 1 && !w.circle && r.Opaque == ""
	return w.reach
}

// ofFunction follows everything from one function.
func (g *reachGraph) ofFunction(oid uint32) Reach {
	w := newReachWalk(g)
	w.function(oid)
	slices.Sort(w.reach.Tables)
	w.reach.Settings = SortSettings(w.reach.Settings)
	return w.reach
}

type reachWalk struct {
	graph  *reachGraph
	root   uint32          // the relation, 0 for a function
	circle bool            // the root reads itself: by a view or a function whose owner its policies let pass
	seen   map[uint32]bool // relations
	calls  map[uint32]bool // functions
	reach  Reach
}

func newReachWalk(g *reachGraph) *reachWalk {
	return &reachWalk{graph: g, seen: map[uint32]bool{}, calls: map[uint32]bool{}}
}

func (w *reachWalk) opaque(reason string) {
	if w.reach.Opaque == "" {
		w.reach.Opaque = reason
	}
}

func (w *reachWalk) relation(oid uint32) {
	if w.seen[oid] {
		w.circle = w.circle || oid == w.root
		return
	}
	w.seen[oid] = true
	r := w.graph.relations[oid]
	switch {
	case r == nil:
		w.opaque("reads a relation that is not known")
		return
	case r.catalog:
		w.opaque("reads the system catalog")
		return
	}
	switch r.kind {
	case Table:
		if !r.permanent {
			w.opaque("reads a table whose changes are not logged")
		}
		w.reach.Tables = append(w.reach.Tables, oid)
	case Materialized: // it has rows of its own, which only REFRESH changes
		w.reach.Tables = append(w.reach.Tables, oid)
	case Foreign:
		w.opaque("reads a foreign table")
	case View, Partitioned:
	default:
		w.opaque("reads a relation of kind " + strconv.Quote(string(rune(r.kind))))
	}
	for _, child := range r.children {
		w.relation(child)
	}
	w.uses(r.uses)
}

func (w *reachWalk) uses(u uses) {
	if u.opaque != "" {
		w.opaque(u.opaque)
	}
	w.reach.Settings = append(w.reach.Settings, u.settings...)
	for _, oid := range u.relations {
		w.relation(oid)
	}
	for _, oid := range u.functions {
		w.function(oid)
	}
}

func (w *reachWalk) function(oid uint32) {
	if w.calls[oid] {
		return
	}
	w.calls[oid] = true
	f := w.graph.functions[oid]
	if f == nil {
		w.opaque("calls a function that is not known")
		return
	}
	w.uses(f.uses)
}
