package cache_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/cache"
)

// Horizon makes a snapshot one that can be shared.
func (s snapshot) Horizon() cache.Horizon {
	xmin := s.xmax
	for xid := range s.unseen {
		xmin = min(xmin, xid)
	}
	return cache.Horizon{Xid: uint64(xmin)}
}

func (p positionOnly) Horizon() cache.Horizon { return cache.Horizon{LSN: uint64(p)} }

// hasty is a snapshot by its greatest id instead.
type hasty struct{ snapshot }

func (s hasty) Horizon() cache.Horizon { return cache.Horizon{Xid: uint64(s.xmax)} }

func encodeAnswer(v cache.Value) []byte {
	b, _ := json.Marshal(v.(answer))
	return b
}

func decodeAnswer(b []byte) (cache.Value, error) {
	var a answer
	err := json.Unmarshal(b, &a)
	return a, err
}

// memory is a tier. It stores late, and sometimes brings back what was there before.
type memory struct {
	mu      sync.Mutex
	entries map[cache.Key][][]byte
}

func (m *memory) Load(_ context.Context, k cache.Key) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if all := m.entries[k]; len(all) > 0 {
		return all[max(0, len(all)-1-rand.IntN(2))], nil
	}
	return nil, nil
}

func (m *memory) Store(k cache.Key, _ int, _ time.Duration, encode func() []byte) {
	go func() {
		runtime.Gosched()
		if b := encode(); b != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.entries[k] = append(m.entries[k], b)
		}
	}()
}

// restart is the end of the stream of changes and the beginning of a new one. That has the transactions that commit after a
// position, and is begun when those that were running then are over.
func (m *model) restart() {
	m.exclude()
	m.rights.Lock()
	m.cache.Reset("the stream broke")
	db := m.db
	db.mu.Lock()
	m.began.Store(db.position)
	begun := db.xid + 1
	for _, r := range db.log {
		if r.heartbeat == nil {
			m.applied[r.register].Store(max(m.applied[r.register].Load(), int64(r.version)))
		}
	}
	db.mu.Unlock()
	for running := true; running; runtime.Gosched() {
		db.mu.Lock()
		running = false
		for xid := range db.unseen {
			running = running || xid < begun
		}
		db.mu.Unlock()
	}
	m.decoded.Store(m.began.Load())
	m.cache.Open()
	m.rights.Unlock()
	m.admit()
}

// newPair are two caches of the same database that share a tier.
func newPair(t *testing.T, with mistakes) [2]*model {
	tier := &memory{entries: map[cache.Key][][]byte{}}
	var pair [2]*model
	for i := range pair {
		m := newModel(t, with)
		m.tier = true
		m.cache = cache.New(cache.Options{Staleness: time.Hour, Budget: 8 << 10, MaxEntry: 4 << 10, Tier: tier, Clock: ticks()})
		pair[i] = m
	}
	pair[1].db = pair[0].db
	return pair
}

// ticks is a clock that goes on by two seconds whenever it is read, so that each heartbeat is a date.
func ticks() func() time.Duration {
	var c clock
	return func() time.Duration { return time.Duration(c.now.Add(int64(2 * time.Second))) }
}

func runPair(pair [2]*model, seed uint64, writes int) (wrong int64) {
	var both sync.WaitGroup
	for i, m := range pair {
		both.Go(func() { m.run(seed+50*uint64(i), writes) })
	}
	both.Wait()
	return pair[0].wrong.Load() + pair[1].wrong.Load()
}

func TestModelOfTwoCaches(t *testing.T) {
	var adopted uint64
	var changed, early uint64
	for seed := range uint64(40) {
		pair := newPair(t, mistakes{stamp: truth, visible: truth})
		if n := runPair(pair, 100*seed, 600); n > 0 {
			t.Fatalf("%d wrong hits; %+v", n, pair[0].cache.Stats())
		}
		for _, m := range pair {
			s := m.cache.Stats()
			adopted += s.Adopted
			changed += s.Refused[cache.RefuseChanged]
			early += s.Refused[cache.RefuseEarly]
		}
		if adopted > 50 && changed > 50 && early > 50 {
			return
		}
	}
	t.Errorf("nothing happened in any round that could have been wrong: %d taken over, %d refused as changed, %d as early", adopted, changed, early)
}

// With each of these mistakes the model must find wrong hits, as in TestModelFindsMistakes.
func TestModelOfTwoCachesFindsMistakes(t *testing.T) {
	for name, with := range map[string]mistakes{
		"an entry is taken over whenever it was filled":       {stamp: truth, visible: truth, undated: true},
		"changes leave no traces":                             {stamp: truth, visible: truth, untraced: true},
		"the greatest id of a snapshot instead of the lowest": {stamp: func(s snapshot) cache.Stamp { return hasty{s} }, visible: truth},
	} {
		t.Run(name, func(t *testing.T) {
			const rounds = 200
			for seed := range uint64(rounds) {
				if runPair(newPair(t, with), 100*seed, 450) > 0 {
					t.Logf("found in round %d", seed+1)
					return
				}
			}
			t.Errorf("no wrong hit in %d rounds", rounds)
		})
	}
}
