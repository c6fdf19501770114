package plan

import (
	"slices"
)

// comparison is a condition on the terms [from, to) of the order: an operator between them and the cursor's values, or
// a test of one of them for NULL.
type comparison struct {
	from, to int
	operator string
}

// The tests for NULL. IS NULL would be true of a row of NULLs too, which sorts among the values; an index serves these
// just as well.
const (
	isNull    = " IS NOT DISTINCT FROM NULL"
	isNotNull = " IS DISTINCT FROM NULL"
)

// branches are conditions of which every row after the cursor meets exactly one, and no other row any. Each is made of
// equalities and at most one range, which an index on the order's columns begins and ends at, wherever the page is. The
// obvious alternatives, a disjunction or IS NOT DISTINCT FROM, make PostgreSQL read every row before the page.
//
// Without NULLs and with one direction there is a single branch, a row comparison.
func (k *keyset) branches() [][]comparison {
	var out [][]comparison
	var equal []comparison // the terms before i are as in the cursor
	add := func(c ...comparison) { out = append(out, slices.Concat(equal, c)) }
	for i := 0; i < len(k.terms); {
		if k.null(i) {
			if k.nullsFirst(i) {
				add(comparison{i, i + 1, isNotNull})
			}
			equal = append(equal, comparison{i, i + 1, isNull})
			i++
			continue
		}
		end := k.run(i)
		add(comparison{i, end, k.after(i)})
		for j := i; j < end; j++ {
			if k.terms[j].column.Nullable && !k.nullsFirst(j) {
				add(comparison{i, j, "="}, comparison{j, j + 1, isNull})
			}
		}
		equal = append(equal, comparison{i, end, "="})
		i = end
	}
	return out
}

// run is the end of the terms from i on that one row comparison can compare.
func (k *keyset) run(i int) int {
	end := i + 1
	for end < len(k.terms) && !k.null(end) && k.after(end) == k.after(i) {
		end++
	}
	return end
}

// writeBranch puts the conditions, each behind sep and then AND.
func (k *keyset) writeBranch(s *sqlBuilder, table, sep string, branch []comparison) {
	for _, c := range branch {
		switch {
		case c.from == c.to:
			continue
		case c.operator == isNull || c.operator == isNotNull:
			s.put(sep, k.column(table, c.from), c.operator)
		case c.operator == "=":
			k.writeEqual(s, table, sep, c)
		default:
			s.put(sep)
			k.writeAfter(s, table, c)
		}
		sep = " AND "
	}
}

func (k *keyset) writeEqual(s *sqlBuilder, table, sep string, c comparison) {
	for i := c.from; i < c.to; i++ {
		s.put(sep, k.column(table, i), " = ")
		k.bindValue(s, i)
		sep = " AND "
	}
}

func (k *keyset) writeAfter(s *sqlBuilder, table string, c comparison) {
	n, open, shut := c.to-c.from, "(", ")"
	if n == 1 {
		open, shut = "", ""
	}
	s.put(open)
	s.each(n, ", ", func(i int) { s.put(k.column(table, c.from+i)) })
	s.put(shut, " ", c.operator, " ", open)
	s.each(n, ", ", func(i int) { k.bindValue(s, c.from+i) })
	s.put(shut)
}

func (k *keyset) column(table string, i int) string {
	return quoteColumn(table, k.terms[i].column.Name)
}

func (k *keyset) bindValue(s *sqlBuilder, i int) {
	s.bind(Arg{Kind: ArgCursor, Index: i})
	s.put("::", k.terms[i].column.NominalType)
}
