package schema

import (
	"cmp"
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
	// Personal says why they may depend on more of the caller and the request than the role and Settings; empty if they do not,
	// though what is read may be Opaque: a foreign table, the clock.
	Personal string
	// Definitions are what all of this was told from.
	Definitions Definitions
}

// Definitions are the OIDs of what was looked at to find a Reach, in ascending order. Relations are all that are read, views
// too; Open are those of them whose row level security is off. Functions are those that are not PostgreSQL's own.
type Definitions struct{ Relations, Open, Functions []uint32 }

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
	temporary bool
	open      bool // without row level security
	children  []uint32
	uses      uses
}

// uses are what expressions make use of.
type uses struct {
	relations []uint32
	functions []uint32
	settings  []SettingRead
	opaque    string
	personal  string
}

// because is for what is not known at all.
func (u *uses) because(reason string) {
	u.moves(reason)
	u.personal = cmp.Or(u.personal, reason)
}

// moves is for what does not depend on who asks.
func (u *uses) moves(reason string) { u.opaque = cmp.Or(u.opaque, reason) }

func (u *uses) add(o uses) {
	u.relations = append(u.relations, o.relations...)
	u.functions = append(u.functions, o.functions...)
	u.settings = append(u.settings, o.settings...)
	u.moves(o.opaque)
	u.personal = cmp.Or(u.personal, o.personal)
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
	w.settle()
	root := g.relations[oid]
	r.Single = root != nil && root.kind == Table && len(r.Tables) == 1 && !w.circle && r.Opaque == ""
	return w.reach
}

// ofFunction follows everything from one function.
func (g *reachGraph) ofFunction(oid uint32) Reach {
	w := newReachWalk(g)
	w.function(oid)
	w.settle()
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

// settle puts what was found in order.
func (w *reachWalk) settle() {
	d := &w.reach.Definitions
	for _, oids := range [][]uint32{w.reach.Tables, d.Relations, d.Open, d.Functions} {
		slices.Sort(oids)
	}
	w.reach.Settings = SortSettings(w.reach.Settings)
}

// unknown is for what may depend on who asks, and moves for what does not.
func (w *reachWalk) unknown(reason string) {
	w.moves(reason)
	w.reach.Personal = cmp.Or(w.reach.Personal, reason)
}

func (w *reachWalk) moves(reason string) { w.reach.Opaque = cmp.Or(w.reach.Opaque, reason) }

func (w *reachWalk) relation(oid uint32) {
	if w.seen[oid] {
		w.circle = w.circle || oid == w.root
		return
	}
	w.seen[oid] = true
	r := w.graph.relations[oid]
	switch {
	case r == nil:
		w.unknown("reads a relation that is not known")
		return
	case r.catalog && r.kind == Table:
		w.moves("reads the system catalog")
		return
	case r.catalog: // a view, such as pg_settings: what its functions show is the session's
		w.unknown("reads the system catalog")
		return
	}
	d := &w.reach.Definitions
	d.Relations = append(d.Relations, oid)
	if r.open {
		d.Open = append(d.Open, oid)
	}
	switch r.kind {
	case Table:
		switch {
		case r.temporary: // each session has rows of its own
			w.unknown("reads a table whose changes are not logged")
		case !r.permanent:
			w.moves("reads a table whose changes are not logged")
		}
		w.reach.Tables = append(w.reach.Tables, oid)
	case Materialized: // it has rows of its own, which only REFRESH changes
		w.reach.Tables = append(w.reach.Tables, oid)
	case Foreign:
		w.moves("reads a foreign table")
	case View, Partitioned:
	default:
		w.unknown("reads a relation of kind " + strconv.Quote(string(rune(r.kind))))
	}
	for _, child := range r.children {
		w.relation(child)
	}
	w.uses(r.uses)
}

func (w *reachWalk) uses(u uses) {
	w.moves(u.opaque)
	w.reach.Personal = cmp.Or(w.reach.Personal, u.personal)
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
		w.unknown("calls a function that is not known")
		return
	}
	if oid >= firstUserOID {
		w.reach.Definitions.Functions = append(w.reach.Definitions.Functions, oid)
	}
	w.uses(f.uses)
}
