package limit

import "time"

// Charge is what somebody wants of one meter, and then what has become of it.
type Charge struct {
	Meter *Meter
	Key   Key
	// Cost is how many units it takes, at least 1. More than the rate's burst are never there.
	Cost int
	// DryRun charges are judged, but refuse nothing.
	DryRun bool

	// Refused is set where the units are not there.
	Refused bool
	share   int64 // the part of the rate that may be used: one by this
	debt    int64 // microseconds
	set     *set  // of the key, once it was looked up
}

// put notes when the key will owe nothing. Whoever calls it holds the set's mu.
func (c *Charge) put(now, free int64) {
	if c.set.put(&c.Key, now, free) {
		c.Meter.forgotten.Add(1)
	}
}

// price is the time that it takes for the units to come back, in microseconds.
func (c *Charge) price() int64 { return int64(c.Cost) * c.Meter.interval * max(c.share, 1) }

// ceiling is the most that may be owed. A part of a rate may be less than what one request costs: that is there when
// nothing is owed.
func (c *Charge) ceiling() int64 {
	if c.share > 1 {
		return max(c.Meter.capacity, c.price())
	}
	return c.Meter.capacity
}

// Remaining is how many units can be used at once now.
func (c *Charge) Remaining() int {
	return int(max(0, c.Meter.capacity-c.debt) / (c.Meter.interval * max(c.share, 1)))
}

// Next is the time until one more unit than Remaining is there; 0 where all are.
func (c *Charge) Next() time.Duration {
	if c.debt == 0 {
		return 0
	}
	unit := c.Meter.interval * max(c.share, 1)
	room := c.Meter.capacity - int64(c.Remaining()+1)*unit
	return microseconds(c.debt - max(0, room))
}

// Wait is the time until a charge that was refused would not be, if nobody else used anything; 0 for others.
func (c *Charge) Wait() time.Duration {
	if !c.Refused {
		return 0
	}
	return microseconds(c.debt + c.price() - c.ceiling())
}

// Possible is false for what costs more than can ever be there.
func (c *Charge) Possible() bool { return c.price() <= c.ceiling() }

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// settle judges charges by what is owed now, and adds to it what is used: nothing where one of them is refused.
func settle(charges []Charge) (admitted bool) {
	admitted = judge(charges)
	if admitted {
		for i := range charges {
			if c := &charges[i]; !c.Refused {
				c.debt += c.price()
			}
		}
	}
	return admitted
}

// judge is settle without using anything.
func judge(charges []Charge) (admitted bool) {
	admitted = true
	for i := range charges {
		c := &charges[i]
		c.Refused = c.debt+c.price() > c.ceiling()
		admitted = admitted && (!c.Refused || c.DryRun)
	}
	return admitted
}
