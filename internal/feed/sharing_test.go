package feed_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

func relay(t *testing.T, url string) *redis.Relay { return client(t, url).Relay() }

// client is a connection to a Redis until the end of the test.
func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	client, err := redis.Open(redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client
}

const round = 200 * time.Millisecond

// sharing is the option of feeds of which some have a slot.
func sharing(r feed.Relay, slots int) func(*feed.Options) {
	return func(o *feed.Options) {
		o.Sharing = &feed.Sharing{Relay: r, Slots: slots, Secret: []byte("secret"), Round: round}
	}
}

// sharers are one feed with a slot and n that follow it.
func sharers(t *testing.T, server *redistest.Server, dsn string, n int) (leader *follower, followers []*follower) {
	t.Helper()
	leader = follow(t, dsn, sharing(relay(t, server.URL()), 1))
	for range n {
		followers = append(followers, follow(t, dsn, sharing(relay(t, server.URL()), 1)))
	}
	return leader, followers
}

// eventually waits for a status.
func (f *follower) eventually(what string, fits func(feed.Status) bool) {
	f.t.Helper()
	for deadline := time.Now().Add(time.Minute); !fits(f.feed.Status()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("in vain: %s; status %+v", what, f.feed.Status())
		}
	}
}

// transactions are those after the one that begins and before the one that ends, which insert these ids into the table mark.
func (f *follower) transactions(begin, end int) (all []*feed.Transaction) {
	f.t.Helper()
	marks := func(tx *feed.Transaction, id int) bool {
		return len(tx.Changes) == 1 && tx.Changes[0].New != nil && string(tx.Changes[0].New[0].Text) == fmt.Sprint(id)
	}
	for !marks(f.committed(), begin) {
	}
	for {
		tx := f.committed()
		if marks(tx, end) {
			return all
		}
		all = append(all, tx)
	}
}

const markTable = "create table mark (id int primary key)"

func insertMark(t *testing.T, dsn string, id int) {
	t.Helper()
	pgtest.Exec(t, dsn, fmt.Sprintf("insert into mark values (%d)", id))
}

func TestFollowersGetWhatTheLeaderGets(t *testing.T) {
	t.Parallel()
	dsn := database(t, markTable, "create table item (id int primary key, t text)",
		"create table line (id int primary key, item int references item, t text)", "alter table line replica identity full")
	leader, followers := sharers(t, redistest.Start(t), dsn, 2)
	if got := pgtest.Value(t, dsn, "select count(*) from pg_replication_slots where database = current_database()"); got != "1" {
		t.Errorf("%s slots", got)
	}
	for _, f := range append(followers, leader) {
		f.eventually("the tables are known", func(st feed.Status) bool { return st.Tables == 3 })
	}
	insertMark(t, dsn, 1000)
	var writers sync.WaitGroup
	for w := range 4 {
		conn := connect(t, dsn)
		writers.Go(func() {
			for i := range 25 {
				id := 100*w + i
				_, err := conn.Exec(t.Context(), fmt.Sprintf(`begin; insert into item values (%d, 'a'); savepoint s; insert into line values (%[1]d, %[1]d, 'b');
					release s; update item set id = id + 10000 where id = %[1]d and not exists (select from line where item = %[1]d);
					update line set t = 'c' where id = %[1]d; commit`, id))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	pgtest.Exec(t, dsn,
		"delete from line where id < 5",
		"begin; insert into item values (90000, 'rolled back'); rollback",
		"insert into item select g, repeat('x', 3000) from generate_series(20000, 20002) g",
		"update item set id = id + 1000 where id = 20000",
		"insert into item select g, 'many' from generate_series(30000, 32000) g",
		"begin; insert into line values (5000, null, 'x'); truncate line; insert into line values (5001, null, 'y'); commit")
	insertMark(t, dsn, 1001)
	want := leader.transactions(1000, 1001)
	if len(want) != 105 {
		t.Errorf("%d transactions", len(want))
	}
	for _, f := range followers {
		compare(t, f.transactions(1000, 1001), want)
	}
}

func compare(t *testing.T, got, want []*feed.Transaction) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("transaction %d is\n%+v, the leader's\n%+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d transactions, the leader has %d", len(got), len(want))
	}
}

// Of a transaction that is too large for a frame, those who follow learn the tables.
func TestFollowersOfALargeTransaction(t *testing.T) {
	t.Parallel()
	dsn := database(t, "create table item (id int primary key, t text)", "create table line (id int primary key)",
		"create materialized view total as select count(*) from line")
	_, followers := sharers(t, redistest.Start(t), dsn, 1)
	f := followers[0]
	f.eventually("the tables are known", func(st feed.Status) bool { return st.Tables == 3 })
	f.expect(f.exec(`begin; insert into line values (1); refresh materialized view total;
		insert into item select g, (select string_agg(md5(g || ' ' || i), '') from generate_series(1, 20000) i) from generate_series(1, 3) g; commit`),
		"item many", "line many", "total many")
	f.expect(f.exec("delete from item where id = 2"), "item delete (2 ?)")
	f.expect(f.exec("refresh materialized view total"), "total many")
	pgtest.Exec(t, dsn, `begin; alter table item add n int; update item set t = t || 'x'; insert into item select 10 + id, t from item; commit`)
	f.await("the change of the schema", func(e event) bool { return e.name == "schema" })
	f.expect(f.describe(f.committed()), "item many")
}

func TestFollowersHearOfTheSchema(t *testing.T) {
	t.Parallel()
	dsn := database(t, markTable, "create table item (id int primary key, t text)")
	_, followers := sharers(t, redistest.Start(t), dsn, 1)
	f := followers[0]
	f.eventually("the tables are known", func(st feed.Status) bool { return st.Tables == 2 })
	pgtest.Exec(t, dsn, "begin; insert into item values (1, 'a'); alter table item add column n int default 7; insert into item values (2, 'b'); commit")
	f.await("the change of the schema", func(e event) bool { return e.name == "schema" })
	f.expect(f.describe(f.committed()), "item many")
	f.published("item", "mark")
	f.expect(f.exec("insert into item values (3, 'c', 8)"), "item insert > (3 c 8)")
	pgtest.Exec(t, dsn, "create table new (id int primary key)")
	f.published("item", "mark", "new")
	f.expect(f.exec("insert into new values (1)"), "new insert > (1)")
}

// A heartbeat of one that follows proves as much as one's of a slot.
func TestBeatsOfThoseWhoFollow(t *testing.T) {
	t.Parallel()
	dsn := database(t, "create table item (id int primary key)")
	_, followers := sharers(t, redistest.Start(t), dsn, 1)
	f := followers[0]
	for i := range 20 {
		pgtest.Exec(t, dsn, fmt.Sprintf("insert into item values (%d)", i))
		sent := f.clock()
		var tx *feed.Transaction
		b := f.await("a heartbeat", func(e event) bool {
			if e.name == "committed" {
				tx = e.tx
			}
			return e.name == "beat" && e.beat.Sent >= sent
		}).beat
		if tx == nil || !b.Snapshot.Saw(tx.Xid) || string(tx.Changes[0].New[0].Text) != fmt.Sprint(i) {
			t.Fatalf("%+v came before what was acknowledged before it was sent: %+v", b, tx)
		}
	}
	if st := f.feed.Status(); st.Slot != "" || !strings.HasPrefix(st.Leader, "slipstream_") {
		t.Errorf("%+v", st)
	}
}
