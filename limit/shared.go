package limit

import "context"

// Shared has what keys owe to several processes. Package internal/redis has one.
type Shared interface {
	// Take decides on all charges in one step, by a clock of its own, and adds the prices to what is owed: of every charge
	// for which Debt + Price is not more than Ceiling, unless that is so for one that is no dry run; then of none. Debt, as it is
	// given, is the least that the key owes, and becomes what it owed before. An error means that nothing was decided.
	Take(ctx context.Context, charges []Owed) error
	// Instances is how many processes share the counts, as far as is known; at least 1.
	Instances() int
}

// Owed is a Charge to Shared. Times are in microseconds.
type Owed struct {
	Meter          string
	Key            Key
	Ceiling, Price int64
	Debt           int64
	DryRun         bool
}

// ask decides by Shared, and remembers what that says: by it each process goes on when Shared is away, and reminds it of
// when it comes back with nothing.
func (q *Quotas) ask(ctx context.Context, charges []Charge) (admitted bool, err error) {
	owed := make([]Owed, len(charges))
	for i := range charges {
		c := &charges[i]
		c.share = 1
		// What the answers took must not add up, so that much is left out of what they said.
		known := max(0, c.debt-q.options.Slack.Microseconds())
		owed[i] = Owed{c.Meter.name, c.Key, c.Meter.capacity, c.price(), min(known, c.Meter.capacity), c.DryRun}
	}
	sent := q.now()
	err = q.options.Shared.Take(ctx, owed)
	if q.options.Asked != nil {
		q.options.Asked(microseconds(q.now()-sent), err)
	}
	if err != nil {
		return false, err
	}
	for i := range charges {
		c := &charges[i]
		c.debt = max(0, min(owed[i].Debt, c.Meter.capacity))
	}
	admitted = settle(charges)
	now := q.now()
	for i := range charges {
		charges[i].note(now, sent)
	}
	return admitted, nil
}

// note remembers a debt that Shared has told, of some time since sent. Answers overtake each other: the greatest holds.
func (c *Charge) note(now, sent int64) {
	free := sent + c.debt
	if free <= now {
		return
	}
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if free > now+c.set.owes(&c.Key, now) {
		c.put(now, free)
	}
}
