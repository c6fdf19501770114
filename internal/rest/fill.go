package rest

import (
	"context"
	"errors"
	"strings"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// mostKeys is how many rows an answer may show of a table to be kept by their keys. With more, any change of the table
// drops it.
const mostKeys = 1000

// fill runs a read so that its answer can be kept: with the keys of its rows and the snapshot that they were seen in.
func (a *answer) fill(f *cache.Fill, key [][]byte) error {
	p := a.plan
	switch {
	case p.Fill.Keeping.Limited && !a.follows(p.Fill):
		return a.fillLimited(f, key)
	case a.fillFromStandby(f, key):
		return nil
	}
	unkeyed := p.Fill.Unkeyed != "" && p.unkeyed.has(a.tx.Role)
	err := a.runFill(a.db, unkeyed, key)
	if p.Fill.Unkeyed != "" && !unkeyed && denied(err) {
		// Perhaps it is the columns of the key that the caller may not read.
		unkeyed = true
		a.Restart()
		if err = a.runFill(a.db, true, key); err == nil {
			p.unkeyed.add(a.tx.Role)
		}
	}
	if gone(err) {
		a.Restart()
		a.args = p.Bind(a.args[:0], a.req, a.options.Plan, key)
		return a.readPlain()
	}
	if err != nil {
		return a.explainKeyset(p, err)
	}
	if snapshot, err := pg.ParseSnapshot(string(a.stamp)); err == nil { // NULL on a standby, whose snapshots do not tell what it has not seen
		a.depend(f, stamp{snapshot}, unkeyed)
	}
	return nil
}

// gone reports whether the fill asks for what the answer itself does not need: what was installed for the cache may have
// been removed just now.
func gone(err error) bool {
	var answered *pg.Error
	return errors.As(err, &answered) && (answered.Code == "42P01" || answered.Code == "42501") &&
		(strings.Contains(answered.Message, "slipstream") || strings.Contains(answered.Message, "schema_change"))
}

func (a *answer) runFill(db Reader, unkeyed bool, key [][]byte) error {
	f := a.plan.Fill
	s := pg.Statement{Formats: fillFormats, Pace: &a.plan.pace}
	o := a.options.Plan
	o.ChangesSince = a.catalog.Changes.Since
	if unkeyed {
		s.SQL, s.Args = f.Unkeyed, f.BindUnkeyed(a.args[:0], a.req, o, key)
	} else {
		s.SQL, s.Args = f.SQL, f.Bind(a.args[:0], a.req, o, key)
	}
	a.args = s.Args
	a.statements = append(a.statements[:0], s)
	a.filling = true
	a.tx.PreRequestSaw = &a.before
	return db.Read(a.r.Context(), &a.tx, a.statements, a)
}

// Reader is where a read is run: the primary, or another server.
type Reader interface {
	// Read is that of a pg.DB.
	Read(context.Context, *pg.Tx, []pg.Statement, pg.Sink) error
}

// fillFormats are bodyFormats with the columns of a fill.
var fillFormats = []int16{plan.ColumnBody: 1, plan.ColumnChanges: 0}

func denied(err error) bool {
	var answered *pg.Error
	return errors.As(err, &answered) && answered.Code == "42501" // insufficient_privilege
}

// stamp makes a pg.Snapshot a cache.Stamp.
type stamp struct{ pg.Snapshot }

func (s stamp) Saw(m cache.Mark) bool { return s.Snapshot.Saw(m.Xid) }

func (s stamp) Horizon() cache.Horizon { return cache.Horizon{Xid: s.Xmin} }

// depend tells the cache what the answer depends on, and what it has seen. Without that it is not kept.
func (a *answer) depend(f *cache.Fill, seen cache.Stamp, unkeyed bool) {
	if a.changes != a.catalog.Changes.Count {
		return // the key may be of other policies than the rows
	}
	p := a.plan.Fill
	shown, err := p.Shown(a.keys, func(arg *plan.Arg) int64 { return arg.Limit(a.req, a.options.Plan) })
	if err != nil {
		a.options.Logger.Error("an answer cannot be cached", "id", requestID(a.info), "error", err)
		return
	}
	d := dependencies{answer: a, published: a.options.Published}
	for _, table := range p.Tables {
		d.table(table)
	}
	for i := range p.Levels {
		if unkeyed {
			d.table(p.Levels[i].Table)
		} else {
			d.level(&p.Levels[i], &shown[i])
		}
	}
	if d.unknown || !a.dependBefore(f) {
		return
	}
	if p.Keeping.TTL > 0 {
		f.Limit(p.Keeping.TTL)
	}
	if p.Keeping.Limited {
		mayOutlive(f, p)
	}
	if p.Keeping.Staleness > 0 {
		f.Staleness(p.Keeping.Staleness)
	}
	f.Depend(seen, d.watches...)
}

// dependencies makes watches of what a plan says and an answer shows.
type dependencies struct {
	*answer
	published func(table uint32) bool
	watches   []cache.Watch
	unknown   bool // changes of a table are not told to the cache
}

// table depends on all of it.
func (d *dependencies) table(oid uint32) {
	d.known(oid)
	d.watches = append(d.watches, cache.Watch{Table: cache.Table(oid)})
}

func (d *dependencies) known(oid uint32) { d.unknown = d.unknown || !d.published(oid) }

// level depends on the rows shown as they were, and on all that would be shown as they are now.
func (d *dependencies) level(l *plan.Level, shown *plan.Shown) {
	if len(shown.Keys) > mostKeys || len(shown.Links) > mostKeys || shown.Full && !l.Total {
		d.table(l.Table)
		return
	}
	d.known(l.Table)
	table := cache.Table(l.Table)
	if len(shown.Keys) > 0 {
		d.watches = append(d.watches, cache.Watch{Table: table, Side: cache.Before, Columns: columnsOf(l.Key), Values: tuples(shown.Keys)})
	}
	w := cache.Watch{Table: table, Side: cache.After}
	if l.Hidden {
		w.Side = cache.Either
	}
	terms := make([]cache.Compare, 0, len(l.Filter))
	for i := range l.Filter {
		if c, ok := d.compare(&l.Filter[i]); ok {
			terms = append(terms, c)
		}
	}
	if l.Link != nil {
		if len(shown.Links) == 0 {
			return // there is nothing that rows could be joined to
		}
		w.Columns, w.Values = columnsOf(l.Link), tuples(shown.Links)
	} else if i := indexable(terms); i >= 0 {
		w.Columns = []cache.Column{terms[i].Column}
		for _, v := range terms[i].Values {
			w.Values = append(w.Values, cache.HashTuple(v))
		}
		terms = append(terms[:i], terms[i+1:]...)
	}
	for _, t := range terms {
		w.Terms = append(w.Terms, t)
	}
	if shown.Full && !l.Hidden && shown.Last != nil {
		w.Terms = append(w.Terms, within(l, shown))
	}
	d.watches = append(d.watches, w)
}

func columnsOf(numbers []int16) []cache.Column {
	out := make([]cache.Column, len(numbers))
	for i, n := range numbers {
		out[i] = cache.Column(n)
	}
	return out
}

func tuples(rows [][]string) []uint64 {
	out := make([]uint64, len(rows))
	for i, r := range rows {
		out[i] = cache.HashTuple(r...)
	}
	return out
}

// indexable is the first term that asks for values of one text each, or -1.
func indexable(terms []cache.Compare) int {
	for i := range terms {
		if (terms[i].Op == cache.Eq || terms[i].Op == cache.In) && terms[i].Kind != cache.Time {
			return i
		}
	}
	return -1
}

// within is true of rows that would have a place on the page.
func within(l *plan.Level, shown *plan.Shown) cache.Within {
	w := cache.Within{}
	for i, o := range l.Order {
		w.Columns = append(w.Columns, cache.OrderColumn{
			Column: cache.Column(o.Column), Kind: kinds[o.Kind], Descending: o.Descending, NullsFirst: o.NullsFirst,
		})
		last := cache.Datum{State: cache.Null}
		if shown.Last[i] != nil {
			last = cache.DatumOf(*shown.Last[i])
		}
		w.Last = append(w.Last, last)
	}
	return w
}

var kinds = map[plan.Kind]cache.Kind{
	plan.Exact: cache.Text, plan.UUID: cache.UUID, plan.Integer: cache.Int, plan.Boolean: cache.Bool,
	plan.Date: cache.Time, plan.Timestamp: cache.Time, plan.Instant: cache.Time,
}

var comparisons = map[request.Operator]cache.Op{
	request.Eq: cache.Eq, request.Neq: cache.Ne, request.Gt: cache.Gt, request.Gte: cache.Gte,
	request.Lt: cache.Lt, request.Lte: cache.Lte, request.In: cache.In,
}

// compare makes a test one that needs no database, or returns false. A row that it would be wrong about must not be
// refused by it: what is left out only drops answers that could have stayed.
func (d *dependencies) compare(t *plan.Test) (cache.Compare, bool) {
	c := cache.Compare{Column: cache.Column(t.Column), Kind: kinds[t.Kind]}
	if t.Condition.Operator == request.Is {
		op, ok := map[string]cache.Op{
			"null": cache.IsNull, "not_null": cache.NotNull, "true": cache.IsTrue, "false": cache.IsFalse,
		}[t.Condition.Is]
		c.Op = op
		return c, ok
	}
	op, ok := comparisons[t.Condition.Operator]
	if !ok {
		return c, false
	}
	c.Op = op
	texts := []string{d.req.Query.Values[t.Condition.Value]}
	if op == cache.In {
		if texts, ok = plainElements(texts[0]); !ok {
			return c, false
		}
	}
	for _, text := range texts {
		canonical, ok := plan.Canonical(t.Kind, text)
		if !ok {
			return c, false
		}
		c.Values = append(c.Values, canonical)
	}
	// Texts are ordered by their collation.
	return c, t.Kind != plan.Exact || op == cache.Eq || op == cache.In || op == cache.Ne
}

// plainElements takes an array literal apart whose elements need no quotes.
func plainElements(literal string) ([]string, bool) {
	inner, opened := strings.CutPrefix(literal, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if !opened || !closed || strings.ContainsAny(inner, `{}\`) {
		return nil, false
	}
	elements := strings.Split(inner, ",")
	for i, e := range elements {
		if len(e) > 2 && e[0] == '"' && e[len(e)-1] == '"' {
			e = e[1 : len(e)-1]
		} else if e == "" || strings.EqualFold(e, "null") || strings.TrimSpace(e) != e {
			return nil, false
		}
		if strings.Contains(e, `"`) {
			return nil, false // a comma was inside of quotes
		}
		elements[i] = e
	}
	return elements, true
}
