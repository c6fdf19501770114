package rest

import (
	"bytes"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// checkCost refuses a read that the planner deems costlier than its relation's guard allows. It takes a round trip of
// its own, because the read must not begin before the cost is known.
func (a *answer) checkCost() error {
	var cost estimatedCost
	err := a.readAnywhere([]pg.Statement{{SQL: a.plan.CostSQL, Args: a.args}}, &cost)
	if err != nil {
		return err
	}
	// What cannot be read is refused: a guard that fails must not let everything through.
	if n, err := strconv.ParseFloat(cost.text, 64); err != nil || n > float64(a.plan.MaxCost) {
		return a.plan.TooCostly(a.req.Name, cost.text)
	}
	return nil
}

// estimatedCost is the sink of EXPLAIN (FORMAT JSON).
type estimatedCost struct{ text string }

func (c *estimatedCost) Columns(int, []string) error { return nil }

func (c *estimatedCost) Restart() bool {
	c.text = ""
	return true
}

func (c *estimatedCost) Row(_ int, values [][]byte) error {
	c.text = string(estimated(values[0], "Total Cost"))
	return nil
}

// estimated finds a number in EXPLAIN (FORMAT JSON)'s output: the first one is the top node's.
func estimated(explain []byte, name string) []byte {
	_, rest, ok := bytes.Cut(explain, []byte(`"`+name+`": `))
	if !ok {
		return nil
	}
	return rest[:len(rest)-len(bytes.TrimLeft(rest, "0123456789."))]
}
