package plan

import (
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// sqlBuilder writes a statement and collects its arguments.
type sqlBuilder struct {
	strings.Builder
	args  []Arg
	texts map[constant]string // their placeholders
	// counts is how many times writeCount was called, which ends at mostCounts.
	counts int
}

// mostCounts bounds the sub-queries that tell whether an embed has rows. Where every level tests its embed m times, k
// levels make m to the power of k of them: a short URL would be gigabytes of SQL.
const mostCounts = 512

// check refuses a statement that writeCount has left unfinished.
func (s *sqlBuilder) check() error {
	if s.counts <= mostCounts {
		return nil
	}
	return &apierr.Error{
		Code: "SLIP103", Message: "The query is too complex",
		Details: "More than " + itoa(mostCounts) + " tests of whether embedded resources have rows",
		Hint:    "Test each embed once with is.null; tests on several levels multiply.",
	}
}

type constant struct{ text, cast string }

// put writes its parts one after the other.
func (s *sqlBuilder) put(parts ...string) {
	for _, p := range parts {
		s.WriteString(p)
	}
}

// placeholder makes a new argument and gives its name in SQL.
func (s *sqlBuilder) placeholder(a Arg) string {
	s.args = append(s.args, a)
	return "$" + strconv.Itoa(len(s.args))
}

func (s *sqlBuilder) bind(a Arg) { s.put(s.placeholder(a)) }

func (s *sqlBuilder) bindValue(v request.Value) { s.bind(Arg{Kind: ArgValue, Index: int(v)}) }

// bindText binds a text that belongs to the shape. The same text is the same argument wherever it is cast alike: an
// expression of ORDER BY is then seen to be that of the select list.
func (s *sqlBuilder) bindText(text, cast string) {
	key := constant{text, cast}
	name, ok := s.texts[key]
	if !ok {
		name = s.placeholder(Arg{Kind: ArgText, Text: []byte(text)})
		if s.texts == nil {
			s.texts = make(map[constant]string)
		}
		s.texts[key] = name
	}
	s.put(name, cast)
}

// each writes n items with sep between them.
func (s *sqlBuilder) each(n int, sep string, item func(i int)) {
	for i := range n {
		if i > 0 {
			s.WriteString(sep)
		}
		item(i)
	}
}

// QuoteIdent quotes an identifier; NUL, which PostgreSQL cannot hold, ends it.
func QuoteIdent(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteName quotes a name, with its schema when it has one.
func QuoteName(n schema.Name) string {
	if n.Schema == "" {
		return QuoteIdent(n.Name)
	}
	return QuoteIdent(n.Schema) + "." + QuoteIdent(n.Name)
}

// quoteColumn is table.column, or table.* for "*".
//
// Where a whole row is meant it must be written as table.* too, never as table: a column of that name, which a client
// can make with an alias, would take its place.
func quoteColumn(table, column string) string {
	if column == "*" {
		return table + ".*"
	}
	return table + "." + QuoteIdent(column)
}

// QuoteLiteral quotes a text of the catalog, never one of a client.
func QuoteLiteral(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(quoted, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
