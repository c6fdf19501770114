package feed_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// write makes random transactions on the table item and returns when each that changed
// something was acknowledged, by its id.
func write(t *testing.T, conn *pg.Conn, random *rand.Rand, clock func() time.Duration) map[uint32]time.Duration {
	acknowledged := map[uint32]time.Duration{}
	for range 150 {
		sql := []string{
			"insert into item values ($1, $2) on conflict (id) do update set n = excluded.n",
			"with gone as (delete from item where id = $1) insert into item values (100 + $1, $2) on conflict (id) do update set n = excluded.n",
			"update item set n = $2 where id in ($1, 100 + $1)",
			"with gone as (delete from item where id in ($1, 100 + $1)) insert into item values (200, $2) on conflict (id) do update set n = excluded.n",
		}[random.IntN(4)]
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Error(err)
			break
		}
		// Deadlocks are part of the game.
		tag, err := tx.Exec(t.Context(), sql, random.IntN(16), random.IntN(1000))
		var xid uint64
		if err == nil {
			err = tx.QueryRow(t.Context(), "select pg_current_xact_id()::text::int8").Scan(&xid)
		}
		if err == nil && random.IntN(5) > 0 {
			err = tx.Commit(t.Context())
		} else if rollback := tx.Rollback(t.Context()); err == nil {
			err, xid = rollback, 0
		}
		if err == nil && xid != 0 && tag.RowsAffected() > 0 {
			acknowledged[uint32(xid)] = clock()
		} else if err != nil && !strings.Contains(err.Error(), "40P01") {
			t.Error(err)
		}
	}
	return acknowledged
}

// writeAtOnce has four writers work at the same time, and returns when each of their transactions was acknowledged.
func (f *follower) writeAtOnce(seed uint64) map[uint32]time.Duration {
	f.t.Helper()
	acknowledged := map[uint32]time.Duration{}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for i := range uint64(4) {
		conn := connect(f.t, f.dsn)
		writers.Go(func() {
			mine := write(f.t, conn, rand.New(rand.NewPCG(seed, i)), f.clock)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(acknowledged, mine)
		})
	}
	writers.Wait()
	return acknowledged
}

// The promise, under concurrent writers: when a heartbeat comes back, what was acknowledged before it was sent has been
// delivered, and so has all that its snapshot saw; and the events amount to the table.
func TestThePromise(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key, n int)"))
	acknowledged := f.writeAtOnce(1)
	end := f.clock()
	delivered, rows, beats := map[uint32]bool{}, map[string]string{}, 0
	f.await("the last heartbeat", func(e event) bool {
		switch e.name {
		case "committed":
			delivered[e.tx.Xid] = true
			apply(rows, e.tx)
		case "beat":
			beats++
			for xid, at := range acknowledged {
				if (at < e.beat.Sent || e.beat.Snapshot.Saw(xid)) && !delivered[xid] {
					t.Fatalf("transaction %d is not delivered by the heartbeat %+v", xid, e.beat)
				}
			}
		}
		return e.name == "beat" && e.beat.Sent >= end
	})
	want := pgtest.Value(t, f.dsn, "select coalesce(jsonb_object_agg(id, n::text)::text, '{}') from item")
	if got := pgtest.Value(t, f.dsn, "select $1::jsonb::text", object(rows)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(delivered) < 100 || beats < 2 {
		t.Errorf("only %d transactions and %d heartbeats", len(delivered), beats)
	}
}

func apply(rows map[string]string, tx *feed.Transaction) {
	for _, c := range tx.Changes {
		if c.Old != nil {
			delete(rows, string(c.Old[0].Text))
		}
		if c.New != nil {
			rows[string(c.New[0].Text)] = string(c.New[1].Text)
		}
	}
}

func object(rows map[string]string) string {
	var items []string
	for id, n := range rows {
		items = append(items, fmt.Sprintf("%q: %q", id, n))
	}
	return "{" + strings.Join(items, ",") + "}"
}
