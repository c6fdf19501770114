package slipstream_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const groupSQL = `
	create table api.plain (id int primary key, who name default current_user, at timestamptz default now(), n int check (n > 0));
	create table api.triggered (like api.plain including all);
	create function api.leak() returns trigger language plpgsql as $$ begin
		new.who := coalesce(nullif(current_setting('app.who', true), ''), current_user);
		perform set_config('app.who', new.who::text, true);
		return new;
	end $$;
	create trigger leak before insert on api.triggered for each row execute function api.leak();
	create table api.guarded (like api.plain including all);
	create function api.tenant() returns text language plpgsql as $$ begin
		if coalesce(current_setting('app.tenant', true), '') = '' then
			perform set_config('app.tenant', current_user::text, true);
		end if;
		return current_setting('app.tenant', true);
	end $$;
	alter table api.guarded enable row level security;
	create policy own on api.guarded using (true) with check (who = api.tenant());
	create function api.nothing() returns void language sql as 'select';
	create table api.gate (id int);
	create function api.hold() returns void language plpgsql security definer as $$ begin
		while not exists (select from api.gate) loop perform pg_sleep(0.01); end loop;
	end $$;
	create table api.dated (like api.plain including all);
	alter table api.dated alter who set default api.tenant();` + grantSQL

// TestInsertsShareATransaction: while the only connection is taken, inserts queue up; then each gets its own answer.
func TestInsertsShareATransaction(t *testing.T) {
	for _, c := range []struct {
		table  string
		change func(*slipstream.Config)
		shares bool
	}{
		{"plain", func(*slipstream.Config) {}, true},
		{"plain", func(c *slipstream.Config) { c.DisableGroupedInserts = true }, false},
		{"plain", func(c *slipstream.Config) { c.DBPreRequest = "api.nothing" }, false},
		{"triggered", func(*slipstream.Config) {}, false},
		{"guarded", func(*slipstream.Config) {}, false},
		{"dated", func(*slipstream.Config) {}, false},
	} {
		t.Run(c.table, func(t *testing.T) {
			s := serve(t, groupSQL, func(c *slipstream.Config) { c.DBPool, c.AdminServerPort = 1, slipstream.AnyPort }, c.change)
			var all sync.WaitGroup
			s.taken(t, 12, func() {
				for i := range 12 {
					all.Go(func() {
						body, status := fmt.Sprintf(`{"id": %d, "n": 1}`, i), http.StatusCreated
						if i == 7 {
							body, status = `{"id": 7, "n": 0}`, http.StatusBadRequest
						}
						headers := []string{"Content-Type: application/json", "Prefer: return=headers-only"}
						if i%2 == 0 {
							headers = append(headers, s.bearer())
						}
						a := s.write("POST", "/"+c.table, body, headers...)
						if a.StatusCode != status || status == 201 && a.Header.Get("Location") != fmt.Sprintf("/%s?id=eq.%d", c.table, i) {
							t.Errorf("insert %d: %d %s %s", i, a.StatusCode, a.Header.Get("Location"), a.body)
						}
					})
				}
			})
			all.Wait()
			if got := s.value("select string_agg(id || ' ' || (who = case id % 2 when 0 then 'MEMBER' else 'ANON' end), ', ' order by id) from api." + c.table); got != "0 true, 1 true, 2 true, 3 true, 4 true, 5 true, 6 true, 8 true, 9 true, 10 true, 11 true" {
				t.Errorf("left: %s", got)
			}
			// The one that failed has made the others begin anew by themselves. Without it they stay together.
			s.taken(t, 8, func() {
				for i := range 8 {
					all.Go(func() {
						s.write("POST", "/"+c.table, fmt.Sprintf(`{"id": %d, "n": 1}`, 100+i)).check(t, 201, "")
					})
				}
			})
			all.Wait()
			if n := s.value("select count(distinct xmin::text) from api." + c.table + " where id >= 100"); (n == "1") != c.shares {
				t.Errorf("%s transactions", n)
			}
		})
	}
}

// taken runs f while the only connection of the pool is in use, until so many requests that f began wait for it.
func (s *site) taken(t *testing.T, waiting int, f func()) {
	t.Helper()
	s.exec("truncate api.gate")
	var holder sync.WaitGroup
	holder.Go(func() { s.write("POST", "/rpc/hold", "").check(t, 204, "") })
	eventually(t, "the connection is taken", func() bool {
		return s.value("select count(*) from pg_stat_activity where usename = 'LOGIN' and state = 'active' and query like '%hold%'") == "1"
	})
	f()
	eventually(t, "all wait", func() bool {
		response, err := s.client.Get("http://" + s.AdminAddr() + "/metrics")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return err == nil && strings.Contains(string(text), fmt.Sprintf("pgrst_db_pool_waiting %d\n", waiting))
	})
	s.exec("insert into api.gate values (1)")
	holder.Wait()
}
