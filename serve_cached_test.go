package slipstream_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
)

// A handler of the program's own keeps what it has read until that changes in the database.
func TestCachedValuesOfHandlers(t *testing.T) {
	s := newSite(t, cachedTables)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	var loads atomic.Int64
	s.add = func(server *slipstream.Server) {
		handle := func(scope slipstream.Scope, depend func(*slipstream.Dependencies, string)) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				id := r.PathValue("id")
				v, err := slipstream.Cached(r.Context(), scope, r.Pattern+id, func(ctx context.Context, d *slipstream.Dependencies) (string, error) {
					loads.Add(1)
					depend(d, id)
					var name string
					err := slipstream.DBFrom(ctx).Transaction(ctx, slipstream.ReadOnly, func(tx slipstream.Tx) error {
						return tx.QueryRow(ctx, "select coalesce(string_agg(name, ','), 'none') from item where id = $1::int", id).Scan(&name)
					})
					return name + " for " + fmt.Sprint(len(name)), err
				})
				if err != nil {
					http.Error(w, err.Error(), http.StatusTeapot)
					return
				}
				fmt.Fprint(w, v)
			}
		}
		server.Handle("/own/all/{id}", handle(slipstream.ForAll, func(d *slipstream.Dependencies, id string) { d.Row("item", "id", id) }))
		server.Handle("/own/caller/{id}", handle(slipstream.PerCaller, func(d *slipstream.Dependencies, _ string) { d.Table("api.item") }))
		server.Handle("/own/wrong/{id}", handle(slipstream.ForAll, func(d *slipstream.Dependencies, _ string) { d.Row("item", "nope", 1) }))
		server.Handle("/own/nothing/{id}", handle(slipstream.ForAll, func(*slipstream.Dependencies, string) {}))
		server.Handle("/own/list/{id}", handle(slipstream.ForAll, func(d *slipstream.Dependencies, id string) { d.Row("item", "id", []string{id}) }))
		server.Handle("/own/bytes/{id}", handle(slipstream.ForAll, func(d *slipstream.Dependencies, _ string) { d.Row("item", "name", []byte("item 4")) }))
	}
	s.config.CacheStaleness = time.Minute // a slow machine must not make misses of hits
	s.run()
	s.ready()
	s.live()
	ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
	asked := func(path, token string) (body string, loaded bool) {
		before := loads.Load()
		a := s.get(path, token)
		return a.body, loads.Load() > before
	}
	kept := func(path, token string) {
		t.Helper()
		eventually(t, path+" is kept", func() bool { _, loaded := asked(path, token); return !loaded })
	}

	keep := func() { kept("/own/all/1", ann) }
	hit := func(token string) func() bool {
		return func() bool { _, loaded := asked("/own/all/1", token); return !loaded }
	}
	if !outlives(keep, func() {}, hit(bob)) {
		t.Error("a value for all was made again for bob")
	}
	other := func() {
		s.exec("update api.item set name = 'other' where id = 2")
		s.settle()
	}
	if !outlives(keep, other, hit(ann)) {
		t.Error("another row's change made it go")
	}
	s.exec("update api.item set name = 'changed' where id = 1")
	s.settle()
	if body, _ := asked("/own/all/1", ann); body != "changed for 7" {
		t.Errorf("after a change: %s", body)
	}

	kept("/own/caller/3", ann)
	if _, loaded := asked("/own/caller/3", bob); !loaded {
		t.Error("bob was given what was made for ann")
	}
	s.exec("update api.item set name = 'z' where id = 9")
	s.settle()
	if _, loaded := asked("/own/caller/3", ann); !loaded {
		t.Error("a change of the table left it")
	}

	for _, path := range []string{"/own/list/4", "/own/bytes/4"} { // what they name may be written otherwise
		kept(path, ann)
	}
	s.exec("update api.item set name = 'item four' where id = 4")
	s.settle()
	for _, path := range []string{"/own/list/4", "/own/bytes/4"} {
		if body, _ := asked(path, ann); body != "item four for 9" {
			t.Errorf("%s after a change: %s", path, body)
		}
	}

	if body, _ := asked("/own/wrong/1", ann); !strings.Contains(body, `"item" has no column "nope"`) {
		t.Error(body)
	}
	for range 3 {
		if _, loaded := asked("/own/nothing/1", ann); !loaded {
			t.Error("a value that depends on nothing was kept")
		}
	}
}
