package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

// shelf is a tier with one place.
type shelf struct {
	entry []byte
	err   error
}

func (s *shelf) Load(context.Context, cache.Key) ([]byte, error) { return s.entry, s.err }

func (s *shelf) Store(_ cache.Key, _ int, _ time.Duration, encode func() []byte) {
	if b := encode(); b != nil {
		s.entry = b
	}
}

func encodeText(v cache.Value) []byte { return []byte(v.(text)) }

func decodeText(b []byte) (cache.Value, error) { return text(b), nil }

// sharing is a cache with the shelf, that has had some heartbeats; the last one was transaction 20.
func sharing(s *shelf) (*cache.Cache, *clock) {
	c, now := newCache(cache.Options{Tier: s, Follows: func(t cache.Table) bool { return t < 100 }})
	for xid := uint64(18); xid <= 20; xid++ {
		now.advance(time.Second)
		beatAs(c, xid)
	}
	return c, now
}

// beatAs has a heartbeat of a transaction come back, whose commit ends at ten times its id.
func beatAs(c *cache.Cache, xid uint64) {
	h := c.Heartbeat()
	h.Committed(cache.Horizon{Xid: xid, LSN: 10 * xid})
	h.Returned()
}

// lend has another cache fill and share an entry.
func lend(t *testing.T, s *shelf, h cache.Horizon, limit time.Duration, watches ...cache.Watch) {
	t.Helper()
	c, _ := newCache(cache.Options{Tier: s})
	f, _ := c.Fill(key("theirs"))
	f.Depend(h, watches...)
	if limit > 0 {
		f.Limit(limit)
	}
	s.entry = nil
	f.End(text("shared")).Share(key("shared"), encodeText)
	if s.entry == nil {
		t.Fatal("nothing was shared")
	}
}

// borrow loads what is on the shelf, and says why if it does not.
func borrow(c *cache.Cache) (*cache.Entry, cache.Refusal) {
	before := c.Stats().Refused
	f, _ := c.Fill(key("mine"))
	defer f.Abandon()
	e := f.Load(context.Background(), key("shared"), decodeText)
	for r, n := range c.Stats().Refused {
		if n > before[r] {
			return e, r
		}
	}
	return e, 0
}

func wantRefused(t *testing.T, c *cache.Cache, want cache.Refusal) {
	t.Helper()
	if e, why := borrow(c); e != nil || why != want {
		t.Errorf("%v, refused: %s; want %s", e, why, want)
	}
}

func wantAdopted(t *testing.T, c *cache.Cache) *cache.Entry {
	t.Helper()
	e, why := borrow(c)
	if e == nil {
		t.Fatal("refused: ", why)
	}
	wantHit(t, c, key("mine"), "shared")
	return e
}

func update(xid uint32, table cache.Table, values ...string) cache.Change {
	ch := insert(xid, table, values...)
	ch.Mark.LSN, ch.Before = 10*uint64(xid), ch.After
	return ch
}

func TestEntriesOfOthers(t *testing.T) {
	terms := films.Where(1, "7")
	terms.Side = cache.After
	terms.Terms = []cache.Term{
		cache.Compare{Column: 2, Op: cache.Gt, Kind: cache.Int, Values: []string{"10"}},
		cache.Within{Columns: []cache.OrderColumn{{Column: 3, Kind: cache.Int}}, Last: []cache.Datum{cache.DatumOf("5")}},
	}
	pair := cache.Watch{Table: films, Columns: []cache.Column{1, 2}, Values: []uint64{cache.HashTuple("7", "8")}}
	for name, tc := range map[string]struct {
		filled  cache.Horizon
		watch   cache.Watch
		changes []cache.Change
		want    cache.Refusal
	}{
		"nothing happened":                         {filled: cache.Horizon{Xid: 30}, watch: films.Any()},
		"filled before the first date":             {filled: cache.Horizon{Xid: 19}, watch: films.Any(), want: cache.RefuseEarly},
		"the first date has not been seen":         {filled: cache.Horizon{Xid: 18}, watch: films.Any(), want: cache.RefuseEarly},
		"a change that it has seen":                {filled: cache.Horizon{Xid: 30}, watch: films.Any(), changes: []cache.Change{update(29, films, "7")}},
		"a change that it may not have seen":       {filled: cache.Horizon{Xid: 30}, watch: films.Any(), changes: []cache.Change{update(30, films, "7")}, want: cache.RefuseChanged},
		"a change of another table":                {filled: cache.Horizon{Xid: 30}, watch: films.Any(), changes: []cache.Change{update(30, actors, "7")}},
		"a change of another row":                  {filled: cache.Horizon{Xid: 30}, watch: films.Where(1, "7"), changes: []cache.Change{update(30, films, "8")}},
		"a change of the row":                      {filled: cache.Horizon{Xid: 30}, watch: films.Where(1, "7"), changes: []cache.Change{update(30, films, "7")}, want: cache.RefuseChanged},
		"the other side of the row":                {filled: cache.Horizon{Xid: 30}, watch: cache.Watch{Table: films, Side: cache.Before, Columns: []cache.Column{1}, Values: []uint64{cache.HashTuple("7")}}, changes: []cache.Change{insert(30, films, "7")}},
		"a change of a whole table":                {filled: cache.Horizon{Xid: 30}, watch: films.Where(1, "7"), changes: []cache.Change{{Mark: cache.Mark{Xid: 30}, Table: films, Whole: true}}, want: cache.RefuseChanged},
		"a change of a row that is too short":      {filled: cache.Horizon{Xid: 30}, watch: films.Where(2, "7"), changes: []cache.Change{update(30, films, "8")}, want: cache.RefuseChanged},
		"a null":                                   {filled: cache.Horizon{Xid: 30}, watch: films.Where(1, "7"), changes: []cache.Change{{Mark: cache.Mark{Xid: 30}, Table: films, After: cache.Row{{State: cache.Null}}}}},
		"two columns of another row":               {filled: cache.Horizon{Xid: 30}, watch: pair, changes: []cache.Change{update(30, films, "7", "9")}, want: cache.RefuseChanged},
		"a term":                                   {filled: cache.Horizon{Xid: 30}, watch: terms, changes: []cache.Change{update(30, films, "8", "1", "1")}},
		"a table that is not followed":             {filled: cache.Horizon{Xid: 30}, watch: cache.Table(100).Any(), want: cache.RefuseUnfollowed},
		"of a standby, behind the dates":           {filled: cache.Horizon{LSN: 185}, watch: films.Any(), want: cache.RefuseEarly},
		"of a standby, a change that it has seen":  {filled: cache.Horizon{LSN: 300}, watch: films.Any(), changes: []cache.Change{update(30, films, "7")}},
		"of a standby, a change that it may lack":  {filled: cache.Horizon{LSN: 299}, watch: films.Any(), changes: []cache.Change{update(30, films, "7")}, want: cache.RefuseChanged},
		"of a standby, ids that say nothing there": {filled: cache.Horizon{LSN: 1000}, watch: films.Any(), changes: []cache.Change{update(90, films, "7")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			c, _ := sharing(s)
			// What is looked at leaves traces from then on.
			lend(t, s, tc.filled, 0, tc.watch)
			_, _ = borrow(c)
			c.Purge(key("mine"))
			beatAs(c, 20)
			c.Apply(tc.changes...)
			if tc.want == 0 {
				wantAdopted(t, c)
			} else {
				wantRefused(t, c, tc.want)
			}
		})
	}
}

// A column that nobody has looked at so far has left no traces: each change before may have been of any value.
func TestAColumnThatIsNewLeavesNoTraces(t *testing.T) {
	s := &shelf{}
	c, _ := sharing(s)
	c.Apply(update(30, films, "8"))
	lend(t, s, cache.Horizon{Xid: 30}, 0, films.Where(1, "7"))
	wantRefused(t, c, cache.RefuseChanged)
	lend(t, s, cache.Horizon{Xid: 31}, 0, films.Where(1, "7"))
	c.Apply(update(40, films, "8"))
	wantAdopted(t, c)
}

// After it was taken over, an entry is one as all others.
func TestAdoptedEntriesDie(t *testing.T) {
	for name, kill := range map[string]func(*cache.Cache){
		"a change":  func(c *cache.Cache) { c.Apply(update(50, films, "7")) },
		"a flush":   func(c *cache.Cache) { c.Flush() },
		"a purge":   func(c *cache.Cache) { c.PurgeTable(films) },
		"its purge": func(c *cache.Cache) { c.Purge(key("mine")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			c, now := sharing(s)
			lend(t, s, cache.Horizon{Xid: 40}, 0, films.Where(1, "7"))
			if e := wantAdopted(t, c); !e.Shared() || !e.Stored() {
				t.Error("it is not what it is")
			}
			kill(c)
			wantMiss(t, c, key("mine"), cache.MissAbsent)
			// The tier has it still.
			if e, _ := borrow(c); e != nil {
				t.Error("it has come back")
			}
			now.advance(time.Second)
			beatAs(c, 60)
			if e, _ := borrow(c); e != nil {
				t.Error("it has come back after a heartbeat")
			}
		})
	}
}

func TestAdoptedEntriesHaveTheAgeOfTheLastHeartbeatThatTheyHaveSeen(t *testing.T) {
	s := &shelf{}
	c, now := sharing(s) // heartbeats 19 and 20 were sent at 2 s and at 3 s; that at 1 s was the first, and told the id
	lend(t, s, cache.Horizon{Xid: 20}, 10*time.Second, films.Any())
	if e := wantAdopted(t, c); e.Age() != time.Second {
		t.Errorf("%v old, want 1 s", e.Age())
	}
	now.advance(8 * time.Second)
	beatAs(c, 30)
	wantHit(t, c, key("mine"), "shared")
	now.advance(time.Second)
	beatAs(c, 40)
	wantMiss(t, c, key("mine"), cache.MissExpired)
	wantRefused(t, c, cache.RefuseUnfit)
}

func TestNothingIsTakenOverWithoutAProof(t *testing.T) {
	s := &shelf{}
	lend(t, s, cache.Horizon{Xid: 1000}, 0, films.Any())
	c, now := newCache(cache.Options{Tier: s})
	wantRefused(t, c, cache.RefuseEarly) // heartbeats without a transaction
	beatAs(c, 10)
	wantRefused(t, c, cache.RefuseEarly) // its id was not known before it was made
	now.advance(time.Second)
	beatAs(c, 11)
	wantAdopted(t, c)

	c.Purge(key("mine"))
	early := c.Heartbeat()
	c.Flush()
	early.Committed(cache.Horizon{Xid: 12, LSN: 120})
	early.Returned()
	wantRefused(t, c, cache.RefuseEarly) // made before the flush
	now.advance(2 * time.Hour)
	beatAs(c, 13)
	wantRefused(t, c, cache.RefuseEarly) // after a long rest ids may have come around
	now.advance(time.Second)
	beatAs(c, 14)
	now.advance(time.Hour)
	wantRefused(t, c, cache.RefuseUnfit) // no lease
}

func TestWhatIsNotShared(t *testing.T) {
	s := &shelf{}
	c, _ := newCache(cache.Options{Tier: s})
	for name, depend := range map[string]func(*cache.Fill){
		"stamps without a horizon": func(f *cache.Fill) { f.Depend(upTo(5), films.Any()) },
		"no stamp":                 func(f *cache.Fill) { f.Watch(films.Any()) },
		"only a limit":             func(f *cache.Fill) { f.Limit(time.Minute) },
	} {
		f, _ := c.Fill(key(name))
		depend(f)
		e := f.End(text("A"))
		if e.Share(key("shared"), encodeText); !e.Stored() || s.entry != nil {
			t.Errorf("%s: %t, %q", name, e.Stored(), s.entry)
		}
	}
}

func TestATierThatFails(t *testing.T) {
	s := &shelf{}
	c, _ := sharing(s)
	wantRefused(t, c, cache.RefuseAbsent)
	s.err = errors.New("out of order")
	wantRefused(t, c, cache.RefuseAway)
	s.err = cache.ErrGarbled
	wantRefused(t, c, cache.RefuseGarbled)
	s.err = nil
	lend(t, s, cache.Horizon{Xid: 40}, 0, films.Any())
	whole := s.entry
	for n := range whole {
		s.entry = whole[:n]
		wantRefused(t, c, cache.RefuseGarbled)
	}
	s.entry = append(whole[:len(whole):len(whole)], 0)
	wantRefused(t, c, cache.RefuseGarbled)
	s.entry = whole
	wantAdopted(t, c)
}

func FuzzTierEntry(f *testing.F) {
	s := &shelf{}
	c, _ := newCache(cache.Options{Tier: s})
	for _, w := range []cache.Watch{films.Any(), films.Where(1, "7"), {Table: films, Side: cache.After, Terms: []cache.Term{
		cache.Compare{Column: 2, Op: cache.In, Values: []string{"a", "b"}},
		cache.Within{Columns: []cache.OrderColumn{{Column: 3}}, Last: []cache.Datum{cache.DatumOf("5")}},
	}}} {
		fill, _ := c.Fill(key("seed"))
		fill.Depend(cache.Horizon{Xid: 40}, w)
		fill.End(text("A")).Share(key("shared"), encodeText)
		c.Purge(key("seed"))
		f.Add(s.entry)
	}
	place := &shelf{}
	borrower, _ := sharing(place)
	f.Fuzz(func(_ *testing.T, entry []byte) {
		place.entry = entry
		if e, _ := borrow(borrower); e != nil {
			for _, w := range e.Watches() {
				borrower.Apply(cache.Change{Mark: cache.Mark{Xid: 1}, Table: w.Table, Before: row("1", "2", "3")})
			}
			borrower.Apply(cache.Change{Mark: cache.Mark{Xid: 1}, Table: e.Watches()[0].Table, Whole: true})
		}
	})
}
