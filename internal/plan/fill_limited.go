package plan

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// An answer may be kept for a time although changes of its rows are not told, where the configuration says so of all of its
// relations. Of the caller it must be known what it depends on, all the same: if not, callers would be given what is others'.
// Nothing tells when a policy, a view or a function changes, so the statement itself looks whether they are those that the
// key was made by.

// limits reports whether all relations of a level and of those below may be kept for a time, and depend on nothing of the
// caller that is not known.
func (f *fillBuilder) limits(n *node) bool {
	if n.relation == nil || n.relation.Reach.Personal != "" || !f.options.Policies.limited(n.relation.Name) {
		return false
	}
	if n.junction != "" {
		name := n.rel.Junction.Table
		if r := f.snapshot.Relations[name]; r == nil || r.Reach.Personal != "" || !f.options.Policies.limited(name) {
			return false
		}
	}
	return !slices.ContainsFunc(n.children, func(c *node) bool { return !f.limits(c) })
}

// limited is true where the policy of a relation lets answers be kept for a time whatever changes.
func (p Policies) limited(n schema.Name) bool {
	all := p.of(n)
	return all.Limited != nil && *all.Limited && all.TTL != nil && *all.TTL > 0
}

// limit takes the shortest grace of all relations.
func (k *Keeping) limit(p Policy, first bool) {
	given := func(d *time.Duration) time.Duration {
		if d == nil {
			return 0
		}
		return *d
	}
	if first {
		k.Revalidate, k.IfError = given(p.Revalidate), given(p.IfError)
		return
	}
	k.Revalidate, k.IfError = min(k.Revalidate, given(p.Revalidate)), min(k.IfError, given(p.IfError))
}

// settleLimited decides whether the answer may be kept for a time, after all levels were seen. Functions that the request
// names are found by name: which they are, nothing would tell.
func (f *fillBuilder) settleLimited(out *Read) {
	k := &f.out.Keeping
	k.Limited = out.Function == nil && !f.called && f.limits(f.root)
	if !k.Limited {
		k.Revalidate, k.IfError = 0, 0
		f.definitions, f.out.Relations = schema.Definitions{}, nil
		return
	}
	for _, oids := range []*[]uint32{&f.definitions.Relations, &f.definitions.Open, &f.definitions.Functions} {
		slices.Sort(*oids)
		*oids = slices.Compact(*oids)
	}
	f.out.Relations = f.definitions.Relations
	if f.out.Unfollowed != "" {
		f.out.Tables, f.out.Levels = nil, nil
	}
}

// define adds what a reach was told from.
func (f *fillBuilder) define(r *schema.Reach) {
	d := &f.definitions
	d.Relations = append(d.Relations, r.Definitions.Relations...)
	d.Open = append(d.Open, r.Definitions.Open...)
	d.Functions = append(d.Functions, r.Definitions.Functions...)
}

func (f *fillBuilder) limitedStatement(out *Read) (string, []Arg) {
	return around(out, func(s *sqlBuilder) {
		s.put(", null AS stamp, null AS keys, ")
		s.putNewer(&f.definitions)
		s.put(" + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relrowsecurity AND oid = ", oidArray(f.definitions.Open), ")")
		f.putMoved(s, f.root)
		s.put(" AS changes")
	})
}

// putNewer counts the policies, views and functions, and casts of the user's, which to_json looks for, that a transaction has
// written which the catalog may not have seen: one from Options.ChangesSince on. xmin is the low half of a transaction id, and that of a row that is visible is less than two
// to the 32 before the snapshot's end. Policies that are gone, and row level security that was switched off, leave answers
// that depend on less.
func (s *sqlBuilder) putNewer(d *schema.Definitions) {
	relations := oidArray(d.Relations)
	s.put("(SELECT pg_catalog.count(*) FROM (",
		"SELECT xmin FROM pg_catalog.pg_policy WHERE polrelid = ", relations,
		" UNION ALL SELECT xmin FROM pg_catalog.pg_rewrite WHERE ev_class = ", relations,
		" UNION ALL SELECT xmin FROM pg_catalog.pg_proc WHERE oid = ", oidArray(d.Functions),
		" UNION ALL SELECT xmin FROM pg_catalog.pg_cast WHERE oid >= 16384) d, ",
		"(SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS xmax) e ",
		"WHERE e.xmax - ((e.xmax - d.xmin::text::bigint) & 4294967295) >= ")
	s.bind(Arg{Kind: ArgSchemaChanges})
	s.put("::bigint)")
}

// putMoved counts the relations of the request whose names are another relation's now.
func (f *fillBuilder) putMoved(s *sqlBuilder, n *node) {
	moved := func(r *schema.Relation) {
		s.put(" + CASE WHEN pg_catalog.to_regclass(", QuoteLiteral(QuoteName(r.Name)), ")::oid = ", strconv.FormatUint(uint64(r.OID), 10),
			" THEN 0 ELSE 1 END")
	}
	moved(n.relation)
	if n.junction != "" {
		moved(f.snapshot.Relations[n.rel.Junction.Table])
	}
	for _, c := range n.children {
		f.putMoved(s, c)
	}
}

// oidArray is what follows an = for any of the OIDs.
func oidArray(oids []uint32) string {
	texts := make([]string, len(oids))
	for i, oid := range oids {
		texts[i] = strconv.FormatUint(uint64(oid), 10)
	}
	return "ANY ('{" + strings.Join(texts, ",") + "}'::oid[])"
}
