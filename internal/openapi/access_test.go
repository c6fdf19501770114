package openapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// names are what a description has, relations first.
func names(d openapi.Description) []string {
	var all []string
	for _, r := range d.Relations {
		all = append(all, r.Name.Name)
	}
	for _, f := range d.Functions {
		all = append(all, f.Name.Name+"()")
	}
	return all
}

const guarded = `
create schema api;
comment on schema api is 'Guarded';
create schema hidden;
create type hidden.colour as enum ('red');
create type api.size as enum ('s');
create table api.read (id int);
create table api.append (id int);
create table api.one_column (id int, secret int);
create table api.closed (id int);
create table api.mine (id int);
create table api.parted (id int) partition by list (id);
create table api.part partition of api.parted for values in (1);
create table hidden.other (id int);
create function api.open(a api.size, b hidden.colour[], c api.size[]) returns int language sql as 'select 1';
create function api.closed() returns int language sql as 'select 1';
create function api.fire() returns trigger language plpgsql as 'begin return null; end';
revoke all on function api.closed() from public;
grant usage on schema api to ROLE;
grant select on api.read to ROLE;
grant insert on api.append to ROLE;
grant update (id) on api.one_column to ROLE;
grant select on api.part, api.parted to ROLE;
alter table api.mine owner to ROLE;
revoke all on api.mine from ROLE;`

func TestAccessFollowsPrivileges(t *testing.T) {
	role := pgtest.Role(t, "")
	conn := database(t, strings.ReplaceAll(guarded, "ROLE", role))
	s := load(t, conn, "api", "hidden")

	d := access(t, ask(t, conn, openapi.AccessSQL, role, "api")).Filter(s, "api")
	want := []string{"append", "mine", "one_column", "parted", "read", "open()"}
	if diff := cmp.Diff(want, names(d)); diff != "" {
		t.Errorf("a role sees (-want +got):\n%s", diff)
	}
	if d.Comment != "Guarded" || d.Schema != "api" || d.Snapshot != s {
		t.Errorf("comment %q, schema %q", d.Comment, d.Schema)
	}

	all := access(t, ask(t, conn, openapi.CommentSQL, role, "api")).Filter(s, "api")
	want = []string{"append", "closed", "mine", "one_column", "parted", "read", "closed()", "open()"}
	if diff := cmp.Diff(want, names(all)); diff != "" {
		t.Errorf("everybody sees (-want +got):\n%s", diff)
	}
	if all.Comment != "Guarded" {
		t.Errorf("comment %q", all.Comment)
	}
}

// A type in the search path is called by its name alone, as PostgREST does where privileges are followed.
func TestAccessNamesTypes(t *testing.T) {
	role := pgtest.Role(t, "")
	conn := database(t, strings.ReplaceAll(guarded, "ROLE", role))
	s := load(t, conn, "api")
	formats := func(sql string) []string {
		doc := decode(t, openapi.Document2(access(t, ask(t, conn, sql, role, "api")).Filter(s, "api")))
		properties := at(doc, "paths", "/rpc/open", "post", "parameters", 0, "schema", "properties")
		var f []string
		for _, p := range []string{"a", "b", "c"} {
			f = append(f, at(properties, p, "format").(string))
		}
		return f
	}
	if got, want := formats(openapi.AccessSQL), []string{"size", "hidden.colour[]", "size[]"}; !slices.Equal(got, want) {
		t.Errorf("follow-privileges: %q, want %q", got, want)
	}
	if got, want := formats(openapi.CommentSQL), []string{"api.size", "hidden.colour[]", "api.size[]"}; !slices.Equal(got, want) {
		t.Errorf("ignore-privileges: %q, want %q", got, want)
	}
}

func TestAccessToNothing(t *testing.T) {
	conn := database(t, "create schema bare")
	s := load(t, conn, "bare", "missing")
	for _, name := range []string{"bare", "missing"} {
		for _, sql := range []string{openapi.AccessSQL, openapi.CommentSQL} {
			d := access(t, ask(t, conn, sql, "none", name)).Filter(s, name)
			if len(names(d)) > 0 || d.Comment != "" {
				t.Errorf("%s: %q, comment %q", name, names(d), d.Comment)
			}
		}
	}
}

// Equal access is equal bytes, so that the answer can be a cache key.
func TestAccessIsStable(t *testing.T) {
	conn := library(t)
	first := ask(t, conn, openapi.AccessSQL, "none", "library")
	for range 5 {
		if again := ask(t, conn, openapi.AccessSQL, "none", "library"); again != first {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

func TestParseAccessRefusesWhatIsNoJSON(t *testing.T) {
	if _, err := openapi.ParseAccess([]byte("x")); err == nil {
		t.Error("no error")
	}
}
