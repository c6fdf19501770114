package slipstream_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

const tokenTables = cachedTables + `
	grant insert, delete on item to ANON, MEMBER;
	create function add(i int) returns int language sql volatile as $$ insert into api.item values (i, 'added') returning id $$;
	create function look() returns bigint language sql stable as $$ select count(*) from api.item $$;`

// tokenKey is what instances with jwtSecret sign with.
func tokenKey(t *testing.T) writetoken.Key {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(jwtSecret), nil, "slipstream consistency token v1", sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// place is that of the answer's token, which it must have, and only one.
func (a answer) place(t *testing.T) (place writetoken.Place) {
	t.Helper()
	tokens := a.Header.Values("Consistency-Token")
	if len(tokens) != 1 {
		t.Fatalf("%d: tokens %q", a.StatusCode, tokens)
	}
	place, ok := tokenKey(t).Verify(tokens[0])
	if !ok {
		t.Errorf("%q is not signed with the key", tokens[0])
	}
	return place
}

// lsn is the end of the log now.
func (s *site) lsn() uint64 {
	s.t.Helper()
	n, err := strconv.ParseUint(s.value("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// here is a position in the history of the test's server.
func (s *site) here(lsn uint64) pg.Position {
	s.t.Helper()
	p := pg.Position{LSN: lsn}
	for column, to := range map[string]any{
		"(pg_control_system()).system_identifier": &p.System, "(pg_control_checkpoint()).timeline_id": &p.Timeline,
	} {
		if _, err := fmt.Sscan(s.value("select "+column), to); err != nil {
			s.t.Fatal(err)
		}
	}
	return p
}

// Whatever commits is answered with a token of a place after its commit, and nothing else is.
func TestTokensOfCommits(t *testing.T) {
	s := newSite(t, tokenTables)
	s.config.DBTxEnd = "commit-allow-override"
	s.installKeys()
	s.add = func(server *slipstream.Server) {
		server.Handle("/own/{commits}/{writes}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.PathValue("commits"))
			for range n {
				err := slipstream.DBFrom(r.Context()).Transaction(r.Context(), slipstream.ReadWrite, func(tx slipstream.Tx) error {
					_, err := tx.Exec(r.Context(), "update item set price = price + 1 where id = 1")
					return err
				})
				if err != nil {
					http.Error(w, err.Error(), http.StatusTeapot)
				}
			}
			switch r.PathValue("writes") {
			case "body":
				fmt.Fprint(w, "done")
			case "flush":
				_ = http.NewResponseController(w).Flush()
			case "hint":
				w.WriteHeader(http.StatusEarlyHints)
			}
		}))
	}
	s.run()
	s.ready()
	const batch = "Content-Type: application/vnd.slipstream.batch+json"
	ann := s.ann()
	for _, tc := range []struct {
		method, path, body string
		status             int
		token              bool
		headers            []string
	}{
		{"POST", "/item", `{"id": 101, "name": "x"}`, 201, true, nil},
		{"POST", "/item", `[{"id": 102, "name": "x"}, {"id": 103, "name": "x"}]`, 201, true, nil},
		{"POST", "/item", `{"id": 104, "name": "x"}`, 201, true, []string{"Prefer: return=representation", "Accept: application/x-ndjson"}},
		{"PATCH", "/item?id=eq.1", `{"price": 7}`, 204, true, nil},
		{"PATCH", "/item?id=eq.1000", `{"price": 7}`, 204, true, nil},
		{"PUT", "/item?id=eq.2", `{"id": 2, "name": "x", "price": 1}`, 204, true, nil},
		{"DELETE", "/item?id=eq.3", "", 204, true, nil},
		{"POST", "/rpc/add", `{"i": 105}`, 200, true, nil},
		{"POST", "/item", `{"id": 106, "name": "x"}`, 201, true, []string{ann, key}},
		{"POST", "/item", `{"id": 106, "name": "x"}`, 201, true, []string{ann, key}}, // replayed
		{"POST", "/", `{"operations": [{"method": "PATCH", "path": "/item?id=eq.1", "body": {"price": 1}}]}`, 200, true, []string{batch}},
		{"POST", "/", `{"transaction": false, "operations": [{"method": "DELETE", "path": "/item?id=eq.4"}, {"method": "GET", "path": "/item"}]}`, 200, true, []string{batch}},
		{"GET", "/own/1/body", "", 200, true, nil},
		{"POST", "/own/2/nothing", "", 200, true, nil},
		{"POST", "/own/2/flush", "", 200, true, nil},
		{"POST", "/own/1/hint", "", 200, true, nil},

		{"GET", "/item", "", 200, false, nil},
		{"GET", "/rpc/look", "", 200, false, nil},
		{"OPTIONS", "/item", "", 200, false, nil},
		{"POST", "/item", `{"id": 101, "name": "x"}`, 409, false, nil},
		{"POST", "/item", `{"id": 110, "name": "x"}`, 201, false, []string{"Prefer: tx=rollback"}},
		{"POST", "/", `{"operations": [{"method": "GET", "path": "/item?id=eq.1"}, {"method": "POST", "path": "/item", "body": {"id": 101}}]}`, 400, false, []string{batch}},
		{"GET", "/own/0/body", "", 200, false, nil},
	} {
		before := s.lsn()
		a := s.write(tc.method, tc.path, tc.body, tc.headers...)
		switch {
		case a.StatusCode != tc.status:
			t.Errorf("%s %s: %d %s", tc.method, tc.path, a.StatusCode, a.body)
		case !tc.token:
			a.check(t, tc.status, "*", "Consistency-Token:")
		default:
			place, here := a.place(t), s.here(0)
			if !place.Within(here.System, here.Timeline) || place.LSN < before || place.LSN > s.lsn() {
				t.Errorf("%s %s: %+v is not after %X of %+v", tc.method, tc.path, place, before, here)
			}
		}
	}
	exposed := s.write("POST", "/item", `{"id": 111, "name": "x"}`, "Origin: https://example.com").Header.Get("Access-Control-Expose-Headers")
	if !strings.HasSuffix(exposed, ", ETag, Consistency-Token") {
		t.Errorf("programs in browsers may read %s", exposed)
	}
}

// Single rows that share a transaction have its place each.
func TestTokensOfWritesThatShareATransaction(t *testing.T) {
	s := serve(t, groupSQL, func(c *slipstream.Config) { c.DBPool, c.AdminServerPort = 1, slipstream.AnyPort })
	answers := make(chan answer, 8)
	s.taken(t, cap(answers), func() {
		for i := range cap(answers) {
			go func() { answers <- s.write("POST", "/plain", fmt.Sprintf(`{"id": %d, "n": 1}`, i)) }()
		}
	})
	places := map[writetoken.Place]bool{}
	for range cap(answers) {
		places[(<-answers).place(t)] = true
	}
	if len(places) != 1 {
		t.Errorf("%d places", len(places))
	}
}

func TestTokensSwitchedOff(t *testing.T) {
	for what, change := range map[string]func(*slipstream.Config){
		"off":          func(c *slipstream.Config) { c.ConsistencyTokens = "off" },
		"no secret":    func(c *slipstream.Config) { c.JWTSecret = "" },
		"without kept": func(c *slipstream.Config) { c.CacheMode = "off" },
	} {
		s := serve(t, tokenTables, change)
		s.write("PATCH", "/item?id=eq.1", `{"price": 7}`, "Origin: https://example.com").check(t, 204, "", "Consistency-Token:")
		if exposed := s.get("/item", "Origin: https://example.com").Header.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "Token") {
			t.Errorf("%s: programs in browsers may read %s", what, exposed)
		}
	}
	s := serve(t, tokenTables, func(c *slipstream.Config) { c.CacheMode, c.ConsistencyTokens = "off", "on" })
	s.write("PATCH", "/item?id=eq.1", `{"price": 7}`).place(t)
	refused := slipstream.Config{DBURI: "postgres://x", DBSchemas: []string{"api"}, ConsistencyTokens: "on"}.Validate()
	if refused == nil || !strings.Contains(refused.Error(), "consistency-tokens: there is no key") {
		t.Errorf("tokens without a key: %v", refused)
	}
}

// A token that the cache is up to is served from it, also on another instance; all others by the database, without error.
func TestReadsWithTokens(t *testing.T) {
	a := cached(t, "")
	b := *a
	b.run()
	b.ready()
	b.live()
	const path = "/item?id=eq.1&select=price"
	here, signer := a.here(1), tokenKey(t)
	sign := func(p pg.Position) string { return signer.Sign(writetoken.PlaceOf(p)) }
	future, promoted, other := here, here, here
	future.LSN = 1 << 62
	promoted.Timeline++
	other.System++
	written := a.write("PATCH", "/item?id=eq.1", `{"price": 4711}`).Header.Get("Consistency-Token")
	for what, tokens := range map[string]string{"the last write": written, "an early place": sign(here), "both": sign(here) + ", " + written} {
		eventually(t, what+" is served from the cache of another instance", func() bool {
			got := b.get(path, "Consistency-Token: "+tokens)
			got.check(t, 200, `[{"price":4711}]`)
			return strings.Contains(got.Header.Get("Cache-Status"), "hit") && explained(t, b, path, tokens).Verdict == "hit"
		})
	}
	for tokens, because := range map[string]string{
		sign(future):                    "brings a token of a write that has not arrived yet",
		sign(promoted):                  "brings a token of another history of the database",
		sign(other):                     "brings a token of another history of the database",
		"nonsense":                      "brings a token that cannot be verified",
		"":                              "brings a token that cannot be verified",
		written + ", x":                 "brings a token that cannot be verified",
		written + ", " + sign(promoted): "brings a token that cannot be verified",
		writetoken.Key("else").Sign(writetoken.PlaceOf(here)): "brings a token that cannot be verified",
	} {
		got := b.get(path, "Consistency-Token: "+tokens)
		got.check(t, 200, `[{"price":4711}]`, `Cache-Status: Slipstream; fwd=request; detail="`+because+`"`)
		b.get(path, "Consistency-Token: "+tokens, "Cache-Control: only-if-cached").check(t, 504, "")
		if e := explained(t, b, path, tokens); e.Verdict != "bypass" || e.Kind != "token" || e.Because != because {
			t.Errorf("explained as %+v, not %q", e, because)
		}
	}
	if b.kept(path, "") != "hit" {
		t.Error("without a token it is not served from the cache")
	}
}

// explained is what is said of a GET with a token.
func explained(t *testing.T, s site, path, tokens string) slipstream.CacheExplanation {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Consistency-Token", tokens)
	e, err := s.ExplainCache(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A handler's kept values are for requests with a token as answers of the data API are.
func TestTokensOfHandlers(t *testing.T) {
	s := newSite(t, tokenTables)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	var loads atomic.Int64
	s.add = func(server *slipstream.Server) {
		server.Handle("/own", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := slipstream.Cached(r.Context(), slipstream.ForAll, "own", func(_ context.Context, d *slipstream.Dependencies) (int64, error) {
				d.Table("item")
				return loads.Add(1), nil
			})
			fmt.Fprint(w, v, err)
		}))
	}
	s.run()
	s.ready()
	s.live()
	kept, written := "", s.here(1)
	eventually(t, "the value is kept", func() bool {
		before := kept
		kept = s.get("/own").body
		return kept == before
	})
	sign := func(p pg.Position) string { return "Consistency-Token: " + tokenKey(t).Sign(writetoken.PlaceOf(p)) }
	if got := s.get("/own", sign(written)).body; got != kept {
		t.Errorf("with a token of long ago it is %s instead of %s", got, kept)
	}
	written.LSN = 1 << 62
	if got := s.get("/own", sign(written)).body; got == kept {
		t.Errorf("with a token of a write that has not arrived it is %s", got)
	}
}
