package plan

import "strings"

// longestName is the longest identifier, in bytes, that PostgreSQL does not truncate.
const longestName = 63

// scope are the table aliases that may not be used again at a level of the statement: those of its FROM, and that of
// the level around it, to which its conditions refer.
type scope map[string]struct{}

func newScope(outer string) scope { return scope{outer: {}} }

// unique takes name, or one like it that is free and that PostgreSQL will not truncate.
func (s scope) unique(name string) string {
	const stem = 50 // leaves room for a number
	out := name
	for i := 2; ; i++ {
		if _, taken := s[out]; !taken && len(out) <= longestName {
			s[out] = struct{}{}
			return out
		}
		if len(name) > stem {
			name = strings.ToValidUTF8(name[:stem], "")
		}
		out = name + "_" + itoa(i)
	}
}

// unused is name, or one like it that none of the columns has.
func unused(name string, columns []lifted) string {
	for i := range columns {
		if columns[i].name == name {
			return unused(name+"_", columns)
		}
	}
	return name
}
