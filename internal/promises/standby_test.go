package promises_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// followBeside is follow with a standby that may fill.
func followBeside(t *testing.T, s *site) *bench {
	t.Helper()
	replica := pgtest.Standby(t)
	b := follow(t, s)
	b.beside = replica
	b.tell()
	return b
}

// beside has the server fill its cache from a standby, too.
func (s *site) beside(r *pgtest.Replica) *site {
	s.replica = r
	s.config.DBReplicas = append(s.config.DBReplicas, r.At(s.config.DBURI))
	return s
}

// filled says how many answers were read from the standby, if there is one, and fails the test if none were.
func (s *site) filled() string {
	s.t.Helper()
	if s.replica == nil {
		return ""
	}
	b := s.CacheStatus().Standbys[0]
	if b.Used == 0 {
		s.t.Errorf("nothing was read from the standby: %+v", b)
	}
	return fmt.Sprintf("; %d answers were read from a standby, and %d more were not current there", b.Used, b.Discarded)
}

// connectBeside is a session on the standby.
func (b *bench) connectBeside() *pgx.Conn {
	b.t.Helper()
	conn, err := pgx.Connect(context.Background(), b.beside.At(b.dsn))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// tell tells the cache what the standby has replayed, once that is all that was committed.
func (b *bench) tell() {
	b.t.Helper()
	b.beside.CatchUp()
	text := pgtest.Value(b.t, b.beside.At(b.dsn), "select pg_last_wal_replay_lsn() - '0/0'")
	position, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cache.Standbys(position)
}

// TestStandbyStamps has a change arrive at a standby while it reads the row: the reading does not see it. A standby's own
// snapshot does not list those who still write, and what it had replayed by the end of the statement is too much.
func TestStandbyStamps(t *testing.T) {
	b := followBeside(t, prepare(t, registersSchema))
	reader := b.connect()
	found := ""
	rounds, violations := scale(2, 50), 0
	for _, how := range stampings() {
		if !how.standby {
			continue
		}
		wrong := 0
		for range rounds {
			b.overtake(how)
			_, n := b.outdated(reader, 1)
			wrong += n
		}
		switch {
		case how.right:
			violations += wrong
		case wrong < rounds:
			t.Errorf("%s: only %d of %d wrong fills were found", how.name, wrong, rounds)
		}
		found += fmt.Sprintf("; %s: %d of %d", how.name, wrong, rounds)
	}
	record(t, "B9", "fills by a standby that a change overtook, that were wrong, by stamp"+found, violations)
}

// overtake fills a register from the standby. The latest change of it is under way when the fill begins, and the standby
// has replayed it before the statement that reads the row ends.
func (b *bench) overtake(how stamping) {
	b.t.Helper()
	ctx := context.Background()
	do := func(conn *pgx.Conn, sql string) {
		b.t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.t.Fatal(err)
		}
	}
	b.cache.Flush()
	writer, blocker, filler := b.connect(), b.connectBeside(), b.connectBeside()
	defer func() {
		for _, conn := range []*pgx.Conn{writer, blocker, filler} {
			_ = conn.Close(ctx)
		}
	}()
	var next int64
	do(writer, "begin")
	if err := writer.QueryRow(ctx, "update api.registers set v = v + 1 where id = 1 returning v").Scan(&next); err != nil {
		b.t.Fatal(err)
	}
	b.exec("update api.registers set v = v + 1 where id = 2") // one that began later is over
	b.tell()
	b.settle()

	do(blocker, "select pg_advisory_lock(1)")
	slowly := how
	if how.beside != "" {
		slowly.beside = "(select " + how.beside + " from pg_advisory_lock_shared(1))"
	} else {
		slowly.beside = "(select '' from pg_advisory_lock_shared(1))"
	}
	filled := make(chan error, 1)
	go func() { filled <- b.fill(ctx, filler, 1, slowly) }()
	pid := filler.PgConn().PID()
	eventually(b.t, "the statement reads", func() bool {
		return pgtest.Value(b.t, b.beside.At(b.dsn), "select wait_event from pg_stat_activity where pid = $1", int32(pid)) == "advisory"
	})
	do(writer, "commit")
	b.beside.CatchUp()
	eventually(b.t, "the change has come through the feed", func() bool { return b.latest.Load() == next })
	do(blocker, "select pg_advisory_unlock(1)")
	if err := <-filled; err != nil {
		b.t.Fatal(err)
	}
	b.settle()
}
