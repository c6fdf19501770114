package slipstream_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// record asks a handler without a server.
func record(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

const handleSQL = `
	create table note (id int primary key, owner text not null, text text not null);
	insert into note values (1, 'ann', 'a'), (2, 'bob', 'b');
	alter table note enable row level security;
	create policy own on note using (owner = current_setting('request.jwt.claims')::json->>'sub');
	grant select, insert on note to MEMBER;
`

// handled is a server with a route of its own: POST /own/MODE/END runs the body as SQL in a transaction.
func handled(t *testing.T) *site {
	t.Helper()
	s := newSite(t, handleSQL)
	s.add = func(server *slipstream.Server) {
		server.Handle("POST /own/{mode}/{end}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sql, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			mode := slipstream.ReadOnly
			if r.PathValue("mode") == "write" {
				mode = slipstream.ReadWrite
			}
			var out *string
			err = slipstream.DBFrom(r.Context()).Transaction(r.Context(), mode, func(tx slipstream.Tx) error {
				if err := tx.QueryRow(r.Context(), string(sql)).Scan(&out); err != nil {
					return err
				}
				switch r.PathValue("end") {
				case "error":
					return errors.New("changed my mind")
				case "panic":
					panic("lost my mind")
				}
				return nil
			})
			if err != nil {
				http.Error(w, err.Error(), http.StatusTeapot)
				return
			}
			if out != nil {
				_, _ = io.WriteString(w, *out)
			}
		}))
		server.Handle("/own/caller", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, ok := slipstream.CallerFrom(r.Context())
			if !ok {
				panic("no caller")
			}
			_, _ = io.WriteString(w, strings.Join([]string{c.Role, c.Subject, string(c.Claims)}, " "))
		}))
	}
	s.run()
	s.ready()
	return s
}

// post sends SQL to the route.
func (s *site) post(path, sql string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+s.Addr()+path, strings.NewReader(sql))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return s.do(r)
}

func TestHandlersTransactions(t *testing.T) {
	s := handled(t)
	ann := s.bearer(`"sub": "ann"`)
	const insert = `insert into note values (3, 'ann', 'c') returning text`
	mine := func() string {
		return s.value(`select string_agg(text, '' order by id) from api.note where owner = 'ann'`)
	}

	s.post("/own/read/commit", `select string_agg(text, '') from note`, ann).check(t, 200, "a")
	s.post("/own/read/commit", `select current_user || current_setting('request.method') || current_setting('request.path')`, ann).
		check(t, 200, s.member+"POST/own/read/commit")
	if a := s.post("/own/read/commit", insert, ann); a.StatusCode != 418 || !strings.Contains(a.body, "read-only transaction") || mine() != "a" {
		t.Errorf("a read-only transaction wrote: %d %s", a.StatusCode, a.body)
	}
	s.post("/own/write/error", insert, ann).check(t, 418, "changed my mind\n")
	s.post("/own/write/panic", insert, ann).check(t, 500, "*", "Proxy-Status: PostgREST; error=SLIP500")
	if mine() != "a" {
		t.Error("what was rolled back is there")
	}
	if a := s.post("/own/write/commit", `insert into note values (4, 'bob', 'd') returning text`, ann); a.StatusCode != 418 || !strings.Contains(a.body, "row-level security") {
		t.Errorf("against the policy: %d %s", a.StatusCode, a.body)
	}
	s.post("/own/write/commit", insert, ann).check(t, 200, "c")
	if mine() != "ac" {
		t.Error("what was committed is not there")
	}
	// The data API is served by the same connections and sees none of it.
	s.get("/note?select=text", s.bearer(`"sub": "bob"`)).check(t, 200, `[{"text":"b"}]`)
	if n := s.value(`select count(*) from pg_stat_activity where usename = 'LOGIN' and state like 'idle in%'`); n != "0" {
		t.Errorf("%s transactions are open", n)
	}
}

func TestHandlersCaller(t *testing.T) {
	s := handled(t)
	s.get("/own/caller").check(t, 200, s.anon+`  {"role":"`+s.anon+`"}`)
	s.get("/own/caller", s.bearer(`"sub": "7"`)).check(t, 200, s.member+` 7 {"role":"`+s.member+`","sub":"7"}`)
	s.get("/own/caller", "Authorization: Bearer x.y.z").check(t, 401, "*")
	if _, ok := slipstream.CallerFrom(t.Context()); ok || slipstream.DBFrom(t.Context()) != nil {
		t.Error("a caller outside of a request")
	}
}

// What no pattern matches, in path or method, is the data API's.
func TestHandlersPatterns(t *testing.T) {
	s := handled(t)
	s.get("/note", s.bearer(`"sub": "ann"`)).check(t, 200, "*", "Content-Range: 0-0/*")
	s.get("/own/read/commit").check(t, 404, "*", "Proxy-Status: PostgREST; error=PGRST125")
	s.get("//note").check(t, 404, "*", "Proxy-Status: PostgREST; error=PGRST125")
	s.send("OPTIONS", "/own/caller").check(t, 200, "*")
	s.get("/own").check(t, 404, "*", "Proxy-Status: PostgREST; error=PGRST205")
}
