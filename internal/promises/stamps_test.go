package promises_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// stamping is a way to tell what a reading has seen. All but one are wrong: they are there to show that the checks of this
// package find it out.
type stamping struct {
	name    string
	right   bool
	standby bool // the reading is a standby's
	// before and beside are read by a statement before the one that reads the row, and by that one; after by one after it.
	before, beside, after string
	stamp                 func(text string) (cache.Stamp, error)
}

func stampings() []stamping {
	const position = "(pg_current_wal_flush_lsn() - '0/0')::text"
	const snapshot = "pg_current_snapshot()::text"
	const replayed = "(pg_last_wal_replay_lsn() - '0/0')::text"
	return []stamping{
		{name: "the statement's own snapshot", right: true, beside: snapshot, stamp: snapshotStamp},
		{name: "the position of the log before", before: position, stamp: positionStamp},
		{name: "the position of the log in the statement", beside: position, stamp: positionStamp},
		{name: "a snapshot that does not tell who still runs", beside: snapshot, stamp: func(text string) (cache.Stamp, error) {
			s, err := pg.ParseSnapshot(text)
			return beforeXid(s.Xmax), err
		}},
		{name: "the snapshot of a later statement", after: snapshot, stamp: snapshotStamp},
		{name: "whatever was read has seen it all", beside: "''", stamp: func(string) (cache.Stamp, error) { return beforeLSN(1<<64 - 1), nil }},
		{name: "what a standby had replayed before", standby: true, right: true, before: replayed, stamp: positionStamp},
		{name: "a standby's snapshot", standby: true, beside: snapshot, stamp: snapshotStamp},
		{name: "what a standby had replayed by the end of the statement", standby: true, beside: replayed, stamp: positionStamp},
	}
}

type snapshotOf struct{ pg.Snapshot }

func (s snapshotOf) Saw(m cache.Mark) bool { return s.Snapshot.Saw(m.Xid) }

func snapshotStamp(text string) (cache.Stamp, error) {
	s, err := pg.ParseSnapshot(text)
	return snapshotOf{s}, err
}

type beforeLSN uint64

func (p beforeLSN) Saw(m cache.Mark) bool { return m.LSN <= uint64(p) }

func positionStamp(text string) (cache.Stamp, error) {
	p, err := strconv.ParseUint(text, 10, 64)
	return beforeLSN(p), err
}

type beforeXid uint64

func (x beforeXid) Saw(m cache.Mark) bool { return uint64(m.Xid) < uint64(x) }

// bench is a cache that follows registers, without a server: fills are the test's.
type bench struct {
	*site
	cache  *cache.Cache
	beside *pgtest.Replica // nil without a standby
	table  cache.Table
	clock  func() time.Duration
	heard  atomic.Int64 // the clock's reading when the last heartbeat was sent that has come back
	latest atomic.Int64 // of the register that the feed brought last
}

// follow starts a feed and gives the cache what it brings.
func follow(t *testing.T, s *site) *bench {
	t.Helper()
	b := &bench{site: s, cache: cache.New(cache.Options{}), clock: cache.SystemClock()}
	oid, err := strconv.ParseUint(s.value("select 'api.registers'::regclass::oid"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	b.table = cache.Table(oid)
	var mu sync.Mutex
	sent := map[uint64]*cache.Heartbeat{}
	tickets := uint64(0)
	f := feed.New(feed.Options{DSN: s.dsn, Clock: b.clock, Heartbeat: 20 * time.Millisecond}, feed.Handlers{
		Committed: b.committed,
		Applied:   b.cache.Applied,
		State: func(state feed.State, reason string) {
			switch state {
			case feed.Live:
				b.cache.Open()
			case feed.Broken: // a slow machine is enough
				b.cache.Reset(reason)
			}
		},
		Sending: func() uint64 {
			mu.Lock()
			defer mu.Unlock()
			tickets++
			sent[tickets] = b.cache.Heartbeat()
			return tickets
		},
		Beat: func(beat feed.Beat) {
			mu.Lock()
			h := sent[beat.Ticket]
			delete(sent, beat.Ticket)
			mu.Unlock()
			h.Visible(snapshotOf{beat.Snapshot})
			h.Returned()
			b.heard.Store(int64(beat.Sent))
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	eventually(t, "the feed is live", b.cache.IsOpen)
	return b
}

func (b *bench) committed(tx *feed.Transaction) {
	changes := make([]cache.Change, len(tx.Changes))
	for i, c := range tx.Changes {
		changes[i] = cache.Change{Mark: cache.Mark{Xid: tx.Xid, LSN: tx.EndLSN}, Table: cache.Table(c.Relation), After: cache.Row{
			cache.DatumOf(string(c.New[0].Text)), cache.DatumOf(string(c.New[1].Text)),
		}}
	}
	b.cache.Apply(changes...)
	if v, err := strconv.ParseInt(string(tx.Changes[0].New[1].Text), 10, 64); err == nil {
		b.latest.Store(v)
	}
}

type registerValue int64

func (registerValue) Size() int { return 8 }

func registerKey(id int) cache.Key { return cache.KeyOf(strconv.Itoa(id)) }

// fill reads a register into the cache, stamped in a given way.
func (b *bench) fill(ctx context.Context, conn *pgx.Conn, id int, how stamping) error {
	return b.fillSlowly(ctx, conn, id, how, func() {})
}

// fillSlowly does something else after it has read the row.
func (b *bench) fillSlowly(ctx context.Context, conn *pgx.Conn, id int, how stamping, meanwhile func()) error {
	f, first := b.cache.Fill(registerKey(id))
	if !first {
		return nil
	}
	defer f.Abandon()
	var before, beside, after string
	var v int64
	ask := func(text *string, sql string) error {
		if sql == "" {
			return nil
		}
		return conn.QueryRow(ctx, "select "+sql).Scan(text)
	}
	if err := ask(&before, how.before); err != nil {
		return err
	}
	row := conn.QueryRow(ctx, "select v, "+cmp.Or(how.beside, "''")+" from api.registers where id = $1", id)
	if err := row.Scan(&v, &beside); err != nil {
		return err
	}
	meanwhile()
	if err := ask(&after, how.after); err != nil {
		return err
	}
	s, err := how.stamp(before + beside + after)
	if err != nil {
		return err
	}
	f.Depend(s, b.table.Where(1, strconv.Itoa(id)))
	f.End(registerValue(v))
	return nil
}

// settle waits until everything committed has been applied: several heartbeats may be under way that were sent before.
func (b *bench) settle() {
	b.t.Helper()
	since := int64(b.clock())
	eventually(b.t, "a heartbeat", func() bool { return b.heard.Load() > since })
}

// outdated counts what is kept, and what of it is not in the database any more.
func (b *bench) outdated(conn *pgx.Conn, registers int) (kept, wrong int) {
	b.t.Helper()
	for id := 1; id <= registers; id++ {
		e := b.cache.Get(registerKey(id))
		if e == nil {
			continue
		}
		var v int64
		if err := conn.QueryRow(context.Background(), "select v from api.registers where id = $1", id).Scan(&v); err != nil {
			b.t.Fatal(err)
		}
		kept++
		if int64(e.Value().(registerValue)) != v {
			wrong++
		}
	}
	return kept, wrong
}

const registersSchema = `create table registers (id int primary key, v bigint not null default 0);
	insert into registers select generate_series(1, 16)`

// TestStalledCommits holds commits back after they were written to the log and before they are visible, by waiting for a
// standby that does not exist. A fill in between reads the old value though the feed has brought the new one; only the
// statement's own snapshot tells. All wrong stamps must be found out.
func TestStalledCommits(t *testing.T) {
	s := prepare(t, registersSchema)
	b := follow(t, s)
	reader := s.connect()
	found := ""
	rounds, violations := scale(2, 50), 0
	t.Cleanup(func() { s.set("synchronous_standby_names", "") })
	for _, how := range stampings() {
		if how.standby { // which sees what the primary still hides
			continue
		}
		wrong := 0
		for range rounds {
			wrong += b.stall(reader, how)
		}
		switch {
		case how.right:
			violations += wrong
		case wrong < rounds:
			t.Errorf("%s: only %d of %d wrong fills were found", how.name, wrong, rounds)
		}
		found += fmt.Sprintf("; %s: %d of %d", how.name, wrong, rounds)
	}
	record(t, "B9", "fills between the log and the commit's being visible that were wrong, by stamp"+found, violations)
}

// stall fills a register while its latest change is in the log but invisible, and then looks whether the old value stayed.
func (b *bench) stall(reader *pgx.Conn, how stamping) (wrong int) {
	ctx := context.Background()
	b.cache.Flush()
	b.settle()
	eventually(b.t, "earlier changes are forgotten", func() bool { return b.cache.Status().Recent == 0 })
	b.set("synchronous_standby_names", "nobody")
	writer := b.connect()
	defer func() { _ = writer.Close(ctx) }()
	pid := writer.PgConn().PID()
	done := b.stalled(writer, pid)
	var visible int64
	if err := reader.QueryRow(ctx, "select v from api.registers where id = 1").Scan(&visible); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the change has come through the feed", func() bool { return b.latest.Load() == visible+1 })
	b.exec("begin; select pg_current_xact_id(); rollback") // one that began later is over
	err := b.fillSlowly(ctx, reader, 1, how, func() {
		if how.after != "" { // by then, the change must be visible
			b.letGo(reader, pid, done)
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if how.after == "" {
		b.letGo(reader, pid, done)
	}
	b.set("synchronous_standby_names", "")
	b.settle()
	_, wrong = b.outdated(reader, 1)
	return wrong
}

// stalled writes to a register and returns when the commit waits for the standby. That commits wait at all is a matter of
// the checkpointer, who may not have heard of the setting yet.
func (b *bench) stalled(writer *pgx.Conn, pid uint32) chan error {
	b.t.Helper()
	done := make(chan error, 1)
	write := func() {
		_, err := writer.Exec(context.Background(), "update api.registers set v = v + 1 where id = 1")
		done <- err
	}
	go write()
	eventually(b.t, "the commit waits", func() bool {
		select {
		case err := <-done:
			if err != nil {
				b.t.Fatal(err)
			}
			go write()
		default:
		}
		return b.value(fmt.Sprintf("select wait_event from pg_stat_activity where pid = %d", pid)) == "SyncRep"
	})
	return done
}

// letGo ends the wait of a commit: it is valid all the same.
func (b *bench) letGo(by *pgx.Conn, pid uint32, done chan error) {
	b.t.Helper()
	if _, err := by.Exec(context.Background(), "select pg_cancel_backend($1::int)", int32(pid)); err != nil {
		b.t.Fatal(err)
	}
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

// TestStamps fills registers while they are counted up, stamped in each of the ways, and counts what stays wrong.
func TestStamps(t *testing.T) {
	s := prepare(t, registersSchema)
	b := followBeside(t, s)
	seed := seedOf(t)
	found := ""
	violations, power := 0, 0
	for i, how := range stampings() {
		fills, wrong := b.race(how, seed+uint64(i))
		if how.right {
			violations += wrong
		} else {
			power += wrong
		}
		found += fmt.Sprintf("; %s: %d of %d", how.name, wrong, fills)
	}
	if power == 0 {
		t.Error("no wrong stamp was found out: nothing was tried")
	}
	record(t, "B9", "fills beside writers that were wrong, by stamp"+found, violations)
}

// race has writers and fillers work on few registers in rounds, and looks at what is kept after each.
func (b *bench) race(how stamping, seed uint64) (kept, wrong int) {
	const registers, workers, each = 4, 4, 6
	rounds := scale(25, 1000)
	b.cache.Standbys(math.MaxUint64)
	if how.standby { // TestStandbyStamps finds out more in less time
		rounds = scale(6, 1000)
		b.tell()
	}
	check := b.connect()
	var writers, fillers [workers]*pgx.Conn
	for i := range workers {
		writers[i], fillers[i] = b.connect(), b.connect()
		if how.standby {
			fillers[i] = b.connectBeside()
		}
	}
	for round := range rounds {
		var working sync.WaitGroup
		for i := range workers {
			random := rand.New(rand.NewPCG(seed, uint64(round*workers+i)))
			working.Go(func() {
				for range each {
					if _, err := writers[i].Exec(context.Background(), "update api.registers set v = v + 1 where id = $1", 1+random.IntN(registers)); err != nil {
						b.t.Error(err)
					}
				}
			})
			working.Go(func() {
				for n := range 2 * each {
					if err := b.fill(context.Background(), fillers[i], 1+(n+i)%registers, how); err != nil {
						b.t.Error(err)
					}
				}
			})
		}
		working.Wait()
		if how.standby {
			b.tell()
		}
		b.settle()
		k, w := b.outdated(check, registers)
		kept, wrong = kept+k, wrong+w
	}
	for i := range workers {
		_ = writers[i].Close(context.Background())
		_ = fillers[i].Close(context.Background())
	}
	return kept, wrong
}
