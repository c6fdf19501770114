package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// rowMatch is the condition that a row is as one of the tags of If-Match says.
//
// It is part of the statement that writes, on the columns of the row that is written: where another transaction has
// changed the row meanwhile, PostgreSQL waits for it and asks again of the row's newest version. Of several writers with
// one tag the first one wins, whatever the timing.
type rowMatch struct {
	node   *node // what of the row is shown, and thereby hashed
	answer answer
}

// matched plans what If-Match and If-None-Match ask of a write. shown is what the rows would be shown as.
func (b *builder) matched(m *mutation, shown *node, a answer) error {
	match, none := b.request.IfMatch, b.request.IfNoneMatch
	if match == nil && none == nil {
		return nil
	}
	if err := b.checkHeaders(); err != nil {
		return err
	}
	if none != nil {
		m.absent, m.ignore = true, true
		return nil
	}
	if m.method == "PATCH" && len(m.columns) == 0 {
		return unusable("If-Match cannot be used with a PATCH that sets no column", "Set one at least, or use GET to look whether the row is as it was.")
	}
	m.present = m.method == "PUT"
	if match.Any {
		return nil
	}
	if err := checkShown(shown, a); err != nil {
		return err
	}
	as := answer{render: renderObject}
	if a.media.Name == request.Object && a.media.NullsStripped {
		as.render = renderObjectStripped
	}
	m.match = &rowMatch{node: shown, answer: as}
	return nil
}

// checkHeaders refuses the combinations of headers and methods that have no meaning.
func (b *builder) checkHeaders() error {
	method, match, none := b.request.Method, b.request.IfMatch, b.request.IfNoneMatch
	switch {
	case method == "POST":
		return unusable("If-Match and If-None-Match cannot be used with POST",
			"A POST without Prefer: resolution inserts only. Use PUT to write one row of a known key.")
	case none == nil:
		return nil
	case match != nil:
		return unusable("If-Match and If-None-Match contradict each other", "Send If-Match to change a row, If-None-Match: * to make one.")
	case method != "PUT" || !none.Any:
		return unusable("If-None-Match can be used with GET, HEAD, and as * with PUT only", "Send If-Match to change the row that was read.")
	}
	return nil
}

// checkShown holds If-Match to what can be computed of the row itself: what other tables show beside it would not be
// looked up again in the row's newest version.
func checkShown(shown *node, a answer) error {
	aggregated := slices.ContainsFunc(shown.fields, func(f selected) bool { return f.aggregate != request.NoAggregate })
	switch {
	case aggregated || len(shown.children) > 0:
		return unusable("If-Match cannot be used with embedded resources or aggregates in select=",
			"Select columns only, and send the ETag that a GET with this select= gives.")
	case a.render == renderCSV || a.render == renderNDJSON:
		return unusable("If-Match cannot be used with an answer as "+a.media.Name, "Accept application/vnd.pgrst.object+json or application/json.")
	}
	return nil
}

func unusable(message, hint string) error {
	return &apierr.Error{Code: "SLIP115", Message: message, Hint: hint}
}

// write puts the condition. Its text is that of the body of a GET, so that their hashes are the same.
func (c *rowMatch) write(s *sqlBuilder) {
	writeETag(s, func() {
		s.put("(SELECT ")
		c.answer.writeBody(s, nil)
		s.put(" FROM (SELECT ")
		c.node.writeColumns(s)
		s.put(") slip_page)")
	})
	s.put(" = ANY(")
	s.bind(Arg{Kind: ArgTags})
	s.put("::text[])")
}

// writeChosen puts the number of rows that the URL chooses to be written, counted to two: a tag is that of one.
func (m *mutation) writeChosen(s *sqlBuilder) {
	if m.match == nil || m.method == "PUT" {
		s.put("null::bigint")
		return
	}
	table := QuoteName(m.relation.Name)
	s.put("(SELECT pg_catalog.count(*) FROM (SELECT 1 FROM ", table)
	m.writeRows(s, table)
	s.put(" LIMIT 2) slip_chosen)")
}

// writeOffered puts the conditions on the payload of a conditional PUT. CASE keeps their order: slipstream.inserted is
// set if the payload is the row that the URL names, whatever then becomes of it.
func (m *mutation) writeOffered(s *sqlBuilder, table string) {
	s.put(" WHERE CASE WHEN ")
	m.writeWhere(s, "slip_body", "")
	s.put(" THEN ")
	if !m.present {
		countInserted(s, "+ 1", "0")
		s.put(" END")
		return
	}
	s.put("CASE WHEN ")
	countInserted(s, "+ 1", "0")
	s.put(" THEN EXISTS (SELECT FROM ", table)
	m.writeWhere(s, table, " WHERE ")
	s.put(") END END")
}
