package plan

import (
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// sqlBuilder writes a statement and collects its arguments.
type sqlBuilder struct {
	strings.Builder
	args []Arg
}

// put writes its parts one after the other.
func (b *sqlBuilder) put(parts ...string) {
	for _, p := range parts {
		b.WriteString(p)
	}
}

// bind writes the placeholder of a new argument.
func (b *sqlBuilder) bind(a Arg) {
	b.args = append(b.args, a)
	b.WriteByte('$')
	b.WriteString(strconv.Itoa(len(b.args)))
}

func (b *sqlBuilder) bindText(s string) { b.bind(Arg{Kind: ArgText, Text: s}) }

func (b *sqlBuilder) bindValue(v request.Value) { b.bind(Arg{Kind: ArgValue, Index: int(v)}) }

// each writes n items with sep between them.
func (b *sqlBuilder) each(n int, sep string, item func(i int)) {
	for i := range n {
		if i > 0 {
			b.WriteString(sep)
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
func quoteColumn(table, column string) string {
	if column == "*" {
		return table + ".*"
	}
	return table + "." + QuoteIdent(column)
}
