package slipstream_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/slipstream-go/slipstream"
)

const filmSQL = `
	create table api.person (id int primary key, name text);
	create table api.film (id int primary key, title text, year int, director_id int references api.person, tags text[], info jsonb);
	create table api.role (film_id int references api.film, person_id int references api.person, character text, primary key (film_id, person_id));
	insert into api.person values (1, 'Kurosawa'), (2, 'Hitchcock'), (3, 'Leigh'), (4, 'Perkins');
	insert into api.film values
		(1, 'Seven Samurai', 1954, 1, '{epic}', '{"colour": false}'), (2, 'Psycho', 1960, 2, '{horror}', '{"colour": false}'),
		(3, 'The Birds', 1963, 2, '{horror,birds}', '{"colour": true}');
	insert into api.role values (2, 3, 'Marion'), (2, 4, 'Norman');
	create table api.note (id int primary key, body text not null, stars int default 1);
	revoke all on api.note from ANON;
	grant select, insert, update, delete on api.note to MEMBER;
	create function api.add(a int, b int) returns int immutable language sql as 'select a + b';
	create function api.who() returns text stable language sql as 'select current_user::text';
	create function api.films_since(since int) returns setof api.film stable language sql as 'select * from api.film where year >= since';
	create function api.refuse() returns void language plpgsql as $$ begin raise sqlstate 'PT402' using message = 'pay first', hint = 'with money'; end $$;
	create function api.sleep(seconds float) returns void language sql as 'select pg_sleep(seconds)';`

// TestPostgrestJS runs testdata/clients/postgrest-js: the client that applications use, as it comes from npm.
func TestPostgrestJS(t *testing.T) {
	if testing.Short() {
		t.Skip("needs packages from the network")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/clients/postgrest-js")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	if output, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install the client: %v\n%s", err, output)
	}
	s := serve(t, filmSQL, func(c *slipstream.Config) { c.DBPlanEnabled = true })
	suite := exec.CommandContext(t.Context(), "node", "--test", "suite.mjs")
	suite.Dir = dir
	suite.Env = append(os.Environ(), "API_URL=http://"+s.Addr(), "TOKEN="+s.token(s.member), "MEMBER="+s.member, "ANON="+s.anon)
	if output, err := suite.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	eventually(t, "the aborted statement is cancelled", func() bool {
		return s.value("select count(*) from pg_stat_activity where state = 'active' and query like '%sleep%' and pid <> pg_backend_pid()") == "0"
	})
}
