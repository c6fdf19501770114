package plan

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// write puts the statement that writes.
func (m *mutation) write(s *sqlBuilder) {
	table := QuoteName(m.relation.Name)
	switch m.method {
	case "POST", "PUT":
		m.writeInsert(s, table)
	case "PATCH":
		if len(m.columns) == 0 {
			m.writeNothing(s, table) // SET needs a column; an empty result has the right ones all the same
			return
		}
		m.writeUpdate(s, table)
	default:
		s.put("DELETE FROM ", table)
		m.writeMatched(s, table)
	}
	m.writeReturning(s, table)
}

func (m *mutation) writeReturning(s *sqlBuilder, table string) {
	s.put(" RETURNING ")
	if len(m.returning) == 0 {
		s.put("1") // to be counted
		return
	}
	s.each(len(m.returning), ", ", func(i int) { s.put(quoteColumn(table, m.returning[i])) })
}

func (m *mutation) writeNothing(s *sqlBuilder, table string) {
	s.put("SELECT ")
	if len(m.returning) == 0 {
		s.put("NULL")
	}
	s.each(len(m.returning), ", ", func(i int) { s.put(quoteColumn(table, m.returning[i])) })
	s.put(" FROM ", table, " WHERE false")
}

// writeMatched puts the conditions of the rows to write.
func (m *mutation) writeMatched(s *sqlBuilder, table string) {
	sep := m.writeRows(s, table)
	if m.match != nil {
		s.put(sep)
		m.match.write(s)
	}
}

// writeRows puts the conditions by which the URL chooses rows, and returns the separator for what follows.
func (m *mutation) writeRows(s *sqlBuilder, table string) string {
	sep := m.writeWhere(s, table, " WHERE ")
	if m.limited != nil {
		s.put(sep)
		m.limited.write(s, m, table)
		sep = " AND "
	}
	return sep
}

// writeWhere puts the filters, and returns the separator for what follows.
func (m *mutation) writeWhere(s *sqlBuilder, table, sep string) string {
	for i := range m.where {
		s.put(sep)
		m.where[i].write(s, table, false)
		sep = " AND "
	}
	return sep
}

// writeInsert puts INSERT … SELECT from the payload: one statement however many rows.
func (m *mutation) writeInsert(s *sqlBuilder, table string) {
	s.put("INSERT INTO ", table)
	if len(m.columns) > 0 {
		s.put(" (")
		s.each(len(m.columns), ", ", func(i int) { s.put(QuoteIdent(m.columns[i].Name)) })
		s.put(")")
	}
	s.put(" SELECT ")
	s.each(len(m.columns), ", ", func(i int) { s.put(quoteColumn("slip_body", m.columns[i].Name)) })
	s.put(" FROM ")
	m.writePayload(s)
	if m.present || m.absent {
		m.writeOffered(s, table)
	} else {
		sep := " WHERE "
		if m.counted {
			s.put(sep)
			countInserted(s, "+ 1", "0")
			sep = " AND "
		}
		m.writeWhere(s, "slip_body", sep) // of a PUT, whose row must be the one that the URL names
	}
	m.writeConflict(s)
}

// countInserted counts in a setting, as a side effect of a condition that always holds: rows go up when they are
// offered and down again when they turn out to be there.
func countInserted(s *sqlBuilder, change, never string) {
	s.put("set_config('slipstream.inserted', (coalesce(nullif(current_setting('slipstream.inserted', true), '')::int, 0) ", change,
		")::text, true) <> '", never, "'")
}

func (m *mutation) writeConflict(s *sqlBuilder) {
	if len(m.conflict) == 0 {
		return
	}
	s.put(" ON CONFLICT(")
	s.each(len(m.conflict), ", ", func(i int) { s.put(QuoteIdent(m.conflict[i])) })
	s.put(")")
	if m.ignore || len(m.columns) == 0 {
		s.put(" DO NOTHING")
		return
	}
	s.put(" DO UPDATE SET ")
	s.each(len(m.columns), ", ", func(i int) {
		c := QuoteIdent(m.columns[i].Name)
		s.put(c, " = EXCLUDED.", c)
	})
	s.put(" WHERE ")
	countInserted(s, "- 1", "-1")
	if m.match != nil {
		s.put(" AND ")
		m.match.write(s)
	}
}

func (m *mutation) writeUpdate(s *sqlBuilder, table string) {
	s.put("UPDATE ", table, " SET ")
	s.each(len(m.columns), ", ", func(i int) {
		name := m.columns[i].Name
		s.put(QuoteIdent(name), " = ", quoteColumn("slip_body", name))
	})
	s.put(" FROM ")
	m.writePayload(s)
	m.writeMatched(s, table)
}

// writePayload puts the payload as a row source slip_body.
func (m *mutation) writePayload(s *sqlBuilder) {
	switch {
	case m.arrays:
		m.writeArrays(s)
	case len(m.columns) > 0 && m.defaults:
		m.writeDocument(s)
		s.put(", LATERAL ")
		m.writeRecords(s, "jsonb", func() { s.put("slip_document.val") })
	case len(m.columns) > 0:
		m.writeRecords(s, "json", func() { s.bindPayload("json") })
	case m.array:
		s.put("json_array_elements(")
		s.bindPayload("json")
		s.put(") slip_body")
	default:
		s.put("(VALUES (1)) slip_body") // {} is one row of defaults
	}
}

func (s *sqlBuilder) bindPayload(typ string) {
	s.bind(Arg{Kind: ArgPayload})
	s.put("::", typ)
}

// writeRecords puts the rows of a document. Columns of a data representation are parsed by its function.
func (m *mutation) writeRecords(s *sqlBuilder, typ string, document func()) {
	name := "slip_body"
	if m.parsed() {
		name = "slip_raw"
		s.put("(SELECT ")
		s.each(len(m.columns), ", ", func(i int) { m.writeParsed(s, m.columns[i]) })
		s.put(" FROM ")
		defer s.put(") slip_body")
	}
	s.put(typ, "_to_record")
	if m.array {
		s.put("set")
	}
	s.put("(")
	document()
	s.put(") AS ", name, "(")
	s.each(len(m.columns), ", ", func(i int) {
		c := m.columns[i]
		s.put(QuoteIdent(c.Name), " ")
		if m.parser(c) != (schema.Name{}) {
			s.put("json")
		} else {
			s.put(c.NominalType)
		}
	})
	s.put(")")
}

func (m *mutation) writeParsed(s *sqlBuilder, c *schema.Column) {
	column := quoteColumn("slip_raw", c.Name)
	if f := m.parser(c); f != (schema.Name{}) {
		s.put(QuoteName(f), "(", column, ") AS ", QuoteIdent(c.Name))
		return
	}
	s.put(column)
}

// parsed reports whether any column has a data representation.
func (m *mutation) parsed() bool {
	return slices.ContainsFunc(m.columns, func(c *schema.Column) bool { return m.parser(c) != schema.Name{} })
}

// writeDocument puts the payload with the defaults of its columns under every object, as slip_document.val.
func (m *mutation) writeDocument(s *sqlBuilder) {
	s.put("(SELECT ")
	if !m.array {
		m.writeDefaults(s)
		s.put(" || ")
		s.bindPayload("jsonb")
		s.put(" AS val) slip_document")
		return
	}
	s.put("jsonb_agg(")
	m.writeDefaults(s)
	s.put(" || elem) AS val FROM jsonb_array_elements(")
	s.bindPayload("jsonb")
	s.put(") elem) slip_document")
}

// writeDefaults puts an object of default expressions. They come from the catalog, not from the client.
func (m *mutation) writeDefaults(s *sqlBuilder) {
	s.put("jsonb_build_object(")
	sep := ""
	for _, c := range m.columns {
		if c.Default == "" {
			continue
		}
		s.put(sep)
		s.put(QuoteLiteral(c.Name), ", ", c.Default)
		sep = ", "
	}
	s.put(")")
}

// parser is the data representation that makes the column's value of JSON, or the zero Name.
func (m *mutation) parser(c *schema.Column) schema.Name {
	return m.parsers[[2]string{"json", c.NominalType}]
}
