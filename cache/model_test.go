package cache_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

const (
	registers = 8
	maxBehind = 6 // commits that the log's reader is behind at most
)

// database is a history as PostgreSQL makes it: a commit goes to the log first, from where it may be decoded at once, and
// becomes visible some time later. Each row is a register that counts its versions.
type database struct {
	locks [registers]sync.Mutex // of the rows: held until the writer's commit is visible

	mu       sync.Mutex
	xid      uint32
	position uint64
	unseen   map[uint32]bool // transactions that are not visible yet
	versions [registers]int
	log      []record
}

type record struct {
	mark      cache.Mark
	register  int
	version   int
	heartbeat *cache.Heartbeat
	sender    *model // of the heartbeat
}

// snapshot is pg_current_snapshot().
type snapshot struct {
	xmax     uint32
	unseen   map[uint32]bool
	position uint64 // what pg_current_wal_flush_lsn() says
}

func (s snapshot) Saw(m cache.Mark) bool { return m.Xid < s.xmax && !s.unseen[m.Xid] }

// These claim too much.
type (
	omniscient   struct{}
	positionOnly uint64
)

func (omniscient) Saw(cache.Mark) bool       { return true }
func (p positionOnly) Saw(m cache.Mark) bool { return m.LSN <= uint64(p) }

func (d *database) snapshot() snapshot {
	return snapshot{xmax: d.xid + 1, unseen: maps.Clone(d.unseen), position: d.position}
}

func (d *database) begin() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.xid++
	d.unseen[d.xid] = true
	return d.xid
}

func (d *database) append(xid uint32, r record) cache.Mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.position++
	r.mark = cache.Mark{Xid: xid, LSN: d.position}
	d.log = append(d.log, r)
	return r.mark
}

// standby replays the log.
type standby struct {
	mu       sync.Mutex
	position uint64
	versions [registers]int
}

func (s *standby) replay(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = r.mark.LSN
	if r.heartbeat == nil {
		s.versions[r.register] = r.version
	}
}

func (s *standby) read() (uint64, [registers]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position, s.versions
}

// model is a cache before such a database, with what its readers may rely on.
type model struct {
	t       *testing.T
	cache   *cache.Cache
	db      *database
	standby standby
	rights  rights
	applied [registers]atomic.Int64 // versions that were given to Apply
	acked   [registers]atomic.Int64 // versions of which a writer was told that they are committed

	decoded atomic.Uint64 // position

	mistakes mistakes
	tier     bool // there is another cache, and a tier for both

	writing sync.WaitGroup
	stopped atomic.Bool
	broken  atomic.Bool   // the stream of changes
	began   atomic.Uint64 // the position from which on it has them
	wrong   atomic.Int64  // answers that missed a version
	current atomic.Int64  // answers that were said to be as good as hits
}

// rights says whether the standby may fill.
type rights struct {
	sync.Mutex
	fills bool
	floor uint64 // the position that an answer must have seen
}

// mistakes is how the model is run: as it should be, or to show that it finds what is wrong.
type mistakes struct {
	stamp         func(snapshot) cache.Stamp // of fills
	visible       func(snapshot) cache.Stamp // of heartbeats
	primaryOnly   bool                       // nothing is read from the standby
	quietStandby  bool                       // nobody tells what it has replayed
	positionAfter bool                       // the standby's position is read after its rows
	noFloor       bool                       // a standby that comes back may be used wherever it is
	undated       bool                       // heartbeats seem to be as old as the history
	untraced      bool                       // what changes leave behind is swept away
}

func (m mistakes) dated(at cache.Mark) cache.Horizon {
	if m.undated {
		return cache.Horizon{Xid: 1, LSN: 1}
	}
	return cache.Horizon{Xid: uint64(at.Xid), LSN: at.LSN}
}

// answer is what a key of the model holds: versions of registers.
type answer []int

func (a answer) Size() int { return 8 * len(a) }

func pause(rng *rand.Rand) {
	for range rng.IntN(12) {
		runtime.Gosched()
	}
}

func (m *model) table(register int) cache.Table { return cache.Table(register % 3) }

func (m *model) write(rng *rand.Rand) {
	r := rng.IntN(registers)
	db := m.db
	db.locks[r].Lock()
	defer db.locks[r].Unlock()
	xid := db.begin()
	version := db.versions[r] + 1
	pause(rng)
	mark := db.append(xid, record{register: r, version: version})
	pause(rng)
	db.mu.Lock()
	db.versions[r] = version
	delete(db.unseen, xid)
	db.mu.Unlock()
	m.cache.Fence(mark.LSN, m.table(r))
	m.acked[r].Store(int64(version))
	for range rng.IntN(150) {
		runtime.Gosched()
	}
	for mark.LSN > m.decoded.Load()+maxBehind {
		runtime.Gosched()
	}
}

// follow gives each record of the log to act, until nothing more comes.
func (m *model) follow(rng *rand.Rand, act func(record)) {
	for next := 0; ; {
		m.db.mu.Lock()
		log := m.db.log[next:]
		m.db.mu.Unlock()
		if len(log) == 0 && m.stopped.Load() {
			return
		}
		for _, r := range log {
			pause(rng)
			act(r)
		}
		next += len(log)
		runtime.Gosched()
	}
}

// decode is the feed.
func (m *model) decode(r record) {
	if m.broken.Swap(false) {
		m.restart()
	}
	switch {
	case r.mark.LSN <= m.began.Load():
		return
	case r.sender == m:
		r.heartbeat.Committed(m.mistakes.dated(r.mark))
		r.heartbeat.Returned()
	case r.heartbeat == nil:
		id := row(strconv.Itoa(r.register))
		m.cache.Apply(cache.Change{Mark: r.mark, Table: m.table(r.register), Before: id, After: id})
		m.applied[r.register].Store(int64(r.version))
	}
	m.cache.Applied(r.mark.LSN)
	m.decoded.Store(r.mark.LSN)
}

func (m *model) replay(r record) {
	m.standby.replay(r)
	if m.mistakes.quietStandby {
		return
	}
	m.rights.Lock()
	defer m.rights.Unlock()
	if m.rights.fills {
		m.cache.Standbys(r.mark.LSN)
		m.rights.floor = max(m.rights.floor, r.mark.LSN)
	}
}

// admit lets the standby fill.
func (m *model) admit() {
	m.rights.Lock()
	defer m.rights.Unlock()
	position, _ := m.standby.read()
	m.cache.Standbys(position)
	m.rights.fills, m.rights.floor = true, max(position, m.decoded.Load())
}

// exclude lets it fill no more.
func (m *model) exclude() {
	m.rights.Lock()
	defer m.rights.Unlock()
	m.rights.fills = false
	m.cache.Standbys(math.MaxUint64)
}

func (m *model) beat(rng *rand.Rand) {
	h := m.cache.Heartbeat()
	xid := m.db.begin()
	m.db.mu.Lock()
	s := m.db.snapshot()
	m.db.mu.Unlock()
	pause(rng)
	m.db.append(xid, record{heartbeat: h, sender: m})
	pause(rng)
	m.db.mu.Lock()
	delete(m.db.unseen, xid)
	m.db.mu.Unlock()
	h.Visible(m.mistakes.visible(s))
}

func (m *model) read(rng *rand.Rand) {
	asked := []int{rng.IntN(registers), rng.IntN(2)}
	k := cache.KeyOf(strconv.Itoa(asked[0]), strconv.Itoa(asked[1]))
	var floor answer
	for _, r := range asked {
		floor = append(floor, int(max(m.applied[r].Load(), m.acked[r].Load())))
	}
	if e := m.cache.Get(k); e != nil {
		m.check(e.Value().(answer), floor)
		return
	}
	f, first := m.cache.Fill(k)
	if !first {
		if e, _ := f.Wait(m.t.Context()); e != nil {
			m.check(e.Value().(answer), floor)
		}
		return
	}
	if e := f.Load(m.t.Context(), k, decodeAnswer); e != nil {
		m.check(e.Value().(answer), floor)
		return
	}
	pause(rng)
	stamp, versions := m.load(rng)
	var got answer
	pause(rng)
	for _, r := range asked {
		got = append(got, versions[r])
		f.Depend(stamp, m.table(r).Where(1, strconv.Itoa(r)))
	}
	if f.Current() {
		m.current.Add(1)
		m.check(got, floor)
	}
	pause(rng)
	f.End(got).Share(k, encodeAnswer)
}

// load reads the rows from the primary or the standby, with what they have seen.
func (m *model) load(rng *rand.Rand) (cache.Stamp, [registers]int) {
	if stamp, versions, ok := m.loadStandby(rng); ok {
		return stamp, versions
	}
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	return m.mistakes.stamp(m.db.snapshot()), m.db.versions
}

func (m *model) loadStandby(rng *rand.Rand) (stamp cache.Stamp, versions [registers]int, ok bool) {
	m.rights.Lock()
	fills, floor := m.rights.fills, m.rights.floor
	m.rights.Unlock()
	if !fills || rng.IntN(2) == 0 {
		return nil, versions, false
	}
	before, _ := m.standby.read()
	pause(rng)
	_, versions = m.standby.read()
	pause(rng)
	if before < floor && !m.mistakes.noFloor {
		return nil, versions, false
	}
	if m.mistakes.positionAfter {
		before, _ = m.standby.read()
	}
	if rng.IntN(4) == 0 {
		return nil, versions, true
	}
	return positionOnly(before), versions, true
}

func (m *model) check(got, floor answer) {
	for i, version := range got {
		if version < floor[i] {
			m.wrong.Add(1)
		}
	}
}

// disturb does what must never matter.
func (m *model) disturb(rng *rand.Rand) {
	if m.mistakes.untraced {
		m.cache.SweepTraces()
	}
	switch rng.IntN(6) {
	case 0:
		m.cache.Flush()
	case 1:
		m.cache.PurgeTable(cache.Table(rng.IntN(3)))
	case 2:
		m.cache.Suspend("a disturbance")
		m.cache.Open()
	case 3:
		m.cache.CloseStoring("a disturbance")
		m.cache.Open()
	case 4:
		if m.mistakes.primaryOnly || m.mistakes.quietStandby {
			return
		}
		m.exclude()
		for range rng.IntN(3000) {
			runtime.Gosched()
		}
		m.admit()
	case 5:
		m.broken.Store(m.tier)
	}
}

// run lets the actors act until so many writes are done.
func (m *model) run(seed uint64, writes int) {
	switch {
	case m.mistakes.quietStandby:
		m.rights.fills = !m.mistakes.primaryOnly
	case !m.mistakes.primaryOnly:
		m.admit()
	}
	m.cache.Open()
	var all sync.WaitGroup
	actor := func(times int, act func(*rand.Rand), wg *sync.WaitGroup) {
		seed++
		rng := rand.New(rand.NewPCG(seed, 0))
		wg.Go(func() {
			for n := 0; n < times || times == 0 && !m.stopped.Load(); n++ {
				act(rng)
				pause(rng)
			}
		})
	}
	for range 3 {
		actor(writes/3, m.write, &m.writing)
		actor(0, m.read, &all)
	}
	actor(0, m.beat, &all)
	actor(0, func(rng *rand.Rand) {
		for range 3000 {
			runtime.Gosched()
		}
		m.disturb(rng)
	}, &all)
	all.Go(func() { m.follow(rand.New(rand.NewPCG(seed, 1)), m.decode) })
	all.Go(func() { m.follow(rand.New(rand.NewPCG(seed, 2)), m.replay) })
	m.writing.Wait()
	m.stopped.Store(true)
	all.Wait()
}

func newModel(t *testing.T, with mistakes) *model {
	return &model{
		t: t, mistakes: with, db: &database{unseen: map[uint32]bool{}},
		// About half of the keys fit.
		cache: cache.New(cache.Options{Staleness: time.Hour, Budget: 8 << 10, MaxEntry: 4 << 10}),
	}
}

func truth(s snapshot) cache.Stamp     { return s }
func everything(snapshot) cache.Stamp  { return omniscient{} }
func position(s snapshot) cache.Stamp  { return positionOnly(s.position) }
func nothingSeen(snapshot) cache.Stamp { return nil }

func TestModel(t *testing.T) {
	for name, with := range map[string]mistakes{
		"stamps":    {stamp: truth, visible: truth},
		"no stamps": {stamp: nothingSeen, visible: truth},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				m := newModel(t, with)
				m.run(100*seed, 1500)
				s := m.cache.Stats()
				if n := m.wrong.Load(); n > 0 {
					t.Fatalf("%d wrong hits; %+v", n, s)
				}
				if s.Hits > 100 && s.Invalidated > 100 && s.Rejected[cache.RejectChanged] > 10 && s.Misses[cache.MissFence] > 10 &&
					m.current.Load() > 100 {
					return
				}
			}
			t.Error("nothing happened in any round that could have been wrong")
		})
	}
}

// With each of these mistakes the model must find wrong hits: else it shows nothing.
func TestModelFindsMistakes(t *testing.T) {
	for name, with := range map[string]mistakes{
		"stamps that have seen everything":     {stamp: everything, visible: truth},
		"stamps that are positions of the log": {stamp: position, visible: truth},
		"heartbeats that have seen everything": {stamp: truth, visible: everything, primaryOnly: true, quietStandby: true},
		"a standby that nobody tells of":       {stamp: truth, visible: truth, quietStandby: true},
		"a standby's position read too late":   {stamp: truth, visible: truth, positionAfter: true},
		"a standby that comes back too early":  {stamp: truth, visible: truth, noFloor: true},
	} {
		t.Run(name, func(t *testing.T) {
			const rounds = 200
			for seed := range uint64(rounds) {
				m := newModel(t, with)
				m.run(100*seed, 600)
				if m.wrong.Load() > 0 {
					t.Logf("found in round %d", seed+1)
					return
				}
			}
			t.Errorf("no wrong hit in %d rounds", rounds)
		})
	}
}
