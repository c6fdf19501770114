package plan

import (
	"strings"
)

// longestName is the longest identifier, in bytes, that PostgreSQL does not truncate.
const longestName = 63

// unique returns name, or one like it, that no other table alias of the statement has and that PostgreSQL will not
// truncate. Inner levels refer to outer ones, so an alias must not even be used twice in different sub-queries.
func (b *builder) unique(name string) string {
	const stem = 50 // leaves room for a number
	out := name
	for i := 2; ; i++ {
		_, taken := b.aliases[out]
		if !taken && len(out) <= longestName {
			b.aliases[out] = struct{}{}
			return out
		}
		if len(name) > stem {
			name = strings.ToValidUTF8(name[:stem], "")
		}
		out = name + "_" + itoa(i)
	}
}

// unused returns name, or one like it, that none of the columns has.
func unused(name string, columns []lifted) string {
	for i := range columns {
		if columns[i].name == name {
			return unused(name+"_", columns)
		}
	}
	return name
}
