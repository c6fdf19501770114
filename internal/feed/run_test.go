package feed_test

import (
	"context"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func (f *follower) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.feed.Run(ctx) }()
	f.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Error(err)
		}
		f.stop = func() {}
		f.slotsGone()
	}
	f.t.Cleanup(func() { f.stop() })
}

func TestSmoke(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key, name text, note text)"))
	f.expect(f.exec("insert into item values (1, 'a', null)"), "item insert > (1 a -)")
	f.expect(f.exec("update item set name = 'b'"), "item update (1 ? ?) > (1 b -)")
	f.expect(f.exec("update item set id = 2"), "item update (1 ? ?) > (2 b -)")
	f.expect(f.exec("delete from item"), "item delete (2 ? ?)")
	f.expect(f.exec("truncate item"), "item truncate")
}

// slotsGone waits until the database has no slots: as long as it has one, it cannot be dropped.
func (f *follower) slotsGone() {
	f.t.Helper()
	for pgtest.Value(f.t, f.dsn, "select count(*) from pg_replication_slots where database = current_database()") != "0" {
		time.Sleep(time.Millisecond)
	}
}
