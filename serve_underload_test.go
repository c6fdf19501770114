package slipstream_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// underLoad runs f while clients ask for a path, and fails the test when any answer is not as ok has it. Every client
// has had an answer before f begins, and another after it ended.
func (s *site) underLoad(t *testing.T, path string, ok func(answer) bool, f func()) {
	t.Helper()
	const clients = 4
	var warm, all sync.WaitGroup
	var done atomic.Bool
	warm.Add(clients)
	for range clients {
		all.Go(func() {
			for n := 0; ; n++ {
				last := done.Load()
				a, err := s.try("GET", path)
				if err != nil || !ok(a) {
					t.Errorf("answer %d: %v %+v %s", n, err, a.Response, a.body)
					if n == 0 {
						warm.Done()
					}
					return
				}
				if n == 0 {
					warm.Done()
				}
				if last {
					return
				}
			}
		})
	}
	warm.Wait()
	f()
	done.Store(true)
	all.Wait()
}

const reloadSQL = `create table item (id int primary key); insert into item select generate_series(1, 9);`

func TestSchemaReloadUnderLoad(t *testing.T) {
	s := newSite(t, reloadSQL)
	s.config.DisableChannel = false
	s.config.DBChannel = "changes of schema"
	s.run()
	s.ready()
	s.get("/late").check(t, 404, "*")
	s.underLoad(t, "/item?select=id&limit=1", func(a answer) bool { return a.StatusCode == 200 && a.body == `[{"id":1}]` }, func() {
		for n := range 5 {
			s.exec(fmt.Sprintf("create table api.late%d (id int); alter table api.item add column c%d int", n, n))
			if err := s.ReloadSchema(t.Context()); err != nil {
				t.Error(err)
			}
			s.get(fmt.Sprintf("/late%d", n)).check(t, 200, "[]")
		}
		s.exec("create table api.late (id int)")
		eventually(t, "the notification is heard", func() bool {
			s.exec(`notify "changes of schema", 'reload schema'`)
			return s.get("/late").StatusCode == 200
		})
	})
	// Prepared statements of before the change do not stand in the way.
	s.get("/item?limit=1").check(t, 200, `[{"id":1,"c0":null,"c1":null,"c2":null,"c3":null,"c4":null}]`)
}

func TestFailedReloadKeepsTheSchema(t *testing.T) {
	s := serve(t, reloadSQL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.ReloadSchema(ctx); err == nil {
		t.Error("a reload that was cut short succeeds")
	}
	s.get("/item?limit=1").check(t, 200, `[{"id":1}]`)
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigReload(t *testing.T) {
	s := serve(t, reloadSQL, func(c *slipstream.Config) { c.DBMaxRows = 5 })
	s.get("/item").check(t, 200, "*", "Content-Range: 0-4/*")
	ok := func(a answer) bool {
		rows := strings.Count(a.body, "{")
		return a.StatusCode == 200 && (rows == 5 || rows == 3)
	}
	s.underLoad(t, "/item", ok, func() {
		for range 5 {
			for _, rows := range []int{5, 3} {
				next := s.config
				next.DBMaxRows = rows
				if err := s.ReloadConfig(t.Context(), next); err != nil {
					t.Error(err)
				}
				s.get("/item").check(t, 200, "*", fmt.Sprintf("Content-Range: 0-%d/*", rows-1))
			}
		}
	})
	bad := s.config
	bad.DBMaxRows = -1
	bad.JWTSecret = "short"
	if err := s.ReloadConfig(t.Context(), bad); err == nil {
		t.Error("a configuration that is not valid is accepted")
	}
	s.get("/item", s.bearer()).check(t, 200, "*", "Content-Range: 0-2/*")

	other := s.config
	other.JWTSecret = "another secret of more than 32 bytes"
	if err := s.ReloadConfig(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	s.get("/item", s.bearer()).check(t, 401, "*", "Proxy-Status: PostgREST; error=PGRST301")
}
