package plan

import "github.com/slipstream-go/slipstream/internal/schema"

// manyEmbeds is the number of embeds beyond which PostgreSQL is told to join in the order in which they are written.
// Left to itself it looks for a better one, which takes it seconds for the most that a request may have
// (https://www.postgresql.org/docs/current/explicit-joins.html), and hardly ever is there one: each embed is looked up
// for the rows of its parent.
const manyEmbeds = 16

var asWritten = []schema.Setting{{Name: "join_collapse_limit", Value: "1"}, {Name: "from_collapse_limit", Value: "1"}}

// settings are what the plan asks of its transaction.
func (n *node) settings() []schema.Setting {
	s := n.guard.settings()
	if n.descendants() > manyEmbeds {
		s = append(s, asWritten...)
	}
	return s
}

func (n *node) descendants() int {
	count := len(n.children)
	for _, c := range n.children {
		count += c.descendants()
	}
	return count
}
