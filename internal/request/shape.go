package request

import "encoding/binary"

// AppendShape appends an encoding of all that decides how the query is planned:
// everything but the texts of Values, and of Cursor, limits and offsets whether
// there is one. Two queries have the same shape exactly when they differ in
// those texts and numbers at most.
func (q *Query) AppendShape(dst []byte) []byte {
	s := shape(dst)
	s.selection(&q.Select)
	s.count(len(q.Filters))
	for i := range q.Filters {
		s.texts(q.Filters[i].Path)
		s.condition(&q.Filters[i].Condition)
	}
	s.count(len(q.Logic))
	for i := range q.Logic {
		s.texts(q.Logic[i].Path)
		s.logic(&q.Logic[i].Logic)
	}
	s.count(len(q.Orders))
	for i := range q.Orders {
		s.order(&q.Orders[i])
	}
	s.count(len(q.Windows))
	for _, w := range q.Windows {
		s.texts(w.Path)
		s.flag(w.Limit != NoLimit)
		s.flag(w.Offset > 0)
	}
	s.count(len(q.Params))
	for _, p := range q.Params {
		s.text(p.Name)
		s.number(int64(p.Value))
	}
	s.optional(q.Columns)
	s.optional(q.OnConflict)
	s.flag(q.Cursor != "")
	s.flag(q.CursorBackward)
	s.number(q.CursorNulls)
	return s
}

// shape is a growing encoding: every part says how long it is, so that no two sequences of parts run together.
type shape []byte

func (s *shape) count(n int)    { *s = binary.AppendUvarint(*s, uint64(n)) }
func (s *shape) number(n int64) { *s = binary.AppendVarint(*s, n) }

func (s *shape) flag(b bool) {
	if b {
		*s = append(*s, 1)
		return
	}
	*s = append(*s, 0)
}

func (s *shape) text(t string) {
	s.count(len(t))
	*s = append(*s, t...)
}

func (s *shape) texts(list []string) {
	s.count(len(list))
	for _, t := range list {
		s.text(t)
	}
}

// optional keeps an absent list apart from an empty one.
func (s *shape) optional(list []string) {
	s.flag(list != nil)
	s.texts(list)
}

func (s *shape) selection(sel *Select) {
	s.count(len(sel.Fields))
	for i := range sel.Fields {
		f := &sel.Fields[i]
		s.column(&f.Column)
		s.text(f.Alias)
		s.text(f.Cast)
		s.text(string(f.Aggregate))
		s.text(f.AggregateCast)
	}
	s.count(len(sel.Embeds))
	for i := range sel.Embeds {
		e := &sel.Embeds[i]
		s.text(e.Target)
		s.text(e.Alias)
		s.text(e.Hint)
		s.text(string(e.Join))
		s.flag(e.Spread)
		s.selection(&e.Select)
	}
}

func (s *shape) column(c *Column) {
	s.text(c.Name)
	s.count(len(c.Path))
	for _, step := range c.Path {
		s.flag(step.Text)
		s.flag(step.Index)
		s.text(step.Key)
	}
}

func (s *shape) condition(c *Condition) {
	s.column(&c.Column)
	s.flag(c.Not)
	s.text(string(c.Operator))
	s.text(string(c.Quantifier))
	s.number(int64(c.Language))
	s.number(int64(c.Value))
	s.text(c.Is)
}

func (s *shape) logic(l *Logic) {
	s.flag(l.Not)
	s.flag(l.Or)
	s.flag(l.Condition != nil)
	if l.Condition != nil {
		s.condition(l.Condition)
	}
	s.count(len(l.Children))
	for i := range l.Children {
		s.logic(&l.Children[i])
	}
}

func (s *shape) order(o *Order) {
	s.texts(o.Path)
	s.count(len(o.Terms))
	for i := range o.Terms {
		t := &o.Terms[i]
		s.text(t.Relation)
		s.column(&t.Column)
		s.text(string(t.Direction))
		s.text(string(t.Nulls))
	}
}
