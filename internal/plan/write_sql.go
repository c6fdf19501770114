package plan

import (
	"github.com/slipstream-go/slipstream/internal/schema"
)

// writeInsert puts INSERT … SELECT from the payload: one statement however many rows.
func (m *mutation) writeInsert(s *sqlBuilder, table string) {
	s.put("INSERT INTO ", table)
	if len(m.columns) > 0 {
		s.put(" (")
		s.each(len(m.columns), ", ", func(i int) { s.put(QuoteIdent(m.columns[i].Name)) })
		s.put(")")
	}
	s.put(" SELECT ")
	m.writeValues(s, func(_ string, value func()) { value() })
	s.put(" FROM ")
	m.writePayload(s)
	sep := " WHERE "
	if m.counted {
		s.put(sep)
		countInserted(s, "+ 1", "0")
		sep = " AND "
	}
	if m.single {
		m.writeWhere(s, "pgrst_body", sep)
	}
	m.writeConflict(s)
}

// countInserted counts in a setting, as a side effect of a condition that always holds: rows go up when they are
// offered and down again when they turn out to be there.
func countInserted(s *sqlBuilder, change, never string) {
	s.put("set_config('pgrst.inserted', (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) ", change,
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
}

func (m *mutation) writeUpdate(s *sqlBuilder, table string) {
	s.put("UPDATE ", table, " SET ")
	m.writeValues(s, func(column string, value func()) {
		s.put(column, " = ")
		value()
	})
	s.put(" FROM ")
	m.writePayload(s)
	m.writeWhere(s, table, " WHERE ")
}

// writeValues puts the payload's columns, parsed by their data representation where they have one.
func (m *mutation) writeValues(s *sqlBuilder, item func(column string, value func())) {
	s.each(len(m.columns), ", ", func(i int) {
		c := QuoteIdent(m.columns[i].Name)
		item(c, func() {
			if f := m.parser(m.columns[i]); f != (schema.Name{}) {
				s.put(QuoteName(f), "(pgrst_body.", c, ")")
				return
			}
			s.put("pgrst_body.", c)
		})
	})
}

// writePayload puts the payload as a row source pgrst_body.
func (m *mutation) writePayload(s *sqlBuilder) {
	kind := "json"
	if m.defaults {
		kind = "jsonb"
	}
	if len(m.columns) == 0 {
		if m.array {
			s.put(kind, "_array_elements(")
			s.bind(Arg{Kind: ArgPayload})
			s.put("::", kind, ") pgrst_body")
		} else {
			s.put("(VALUES (1)) pgrst_body")
		}
		return
	}
	if m.defaults {
		m.writeDocument(s)
		s.put(", LATERAL ")
	}
	s.put(kind, "_to_record")
	if m.array {
		s.put("set")
	}
	s.put("(")
	if m.defaults {
		s.put("pgrst_document.val")
	} else {
		s.bind(Arg{Kind: ArgPayload})
		s.put("::json")
	}
	s.put(") AS pgrst_body(")
	s.each(len(m.columns), ", ", func(i int) {
		typ := m.columns[i].NominalType
		if m.parser(m.columns[i]) != (schema.Name{}) {
			typ = "json"
		}
		s.put(QuoteIdent(m.columns[i].Name), " ", typ)
	})
	s.put(")")
}

// writeDocument puts the payload with the defaults of its columns under every object, as pgrst_document.val.
func (m *mutation) writeDocument(s *sqlBuilder) {
	s.put("(SELECT ")
	if !m.array {
		m.writeDefaults(s)
		s.put(" || ")
		s.bind(Arg{Kind: ArgPayload})
		s.put("::jsonb AS val) pgrst_document")
		return
	}
	s.put("jsonb_agg(")
	m.writeDefaults(s)
	s.put(" || elem) AS val FROM jsonb_array_elements(")
	s.bind(Arg{Kind: ArgPayload})
	s.put("::jsonb) elem) pgrst_document")
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
