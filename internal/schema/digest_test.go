package schema_test

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func digest(t *testing.T, s *schema.Snapshot) [sha256.Size]byte {
	t.Helper()
	d, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const digested = dumped + `
	create table api.own (id int primary key, owner text collate "C");
	alter table api.own enable row level security;
	create policy own on api.own using (owner = current_setting('request.jwt.claims', true)::json->>'sub');
	create function api.upper(api.own) returns text stable language sql as 'select upper($1.owner)';`

// Who loads the same catalog has the same digest, and whoever loads another one has not.
func TestDigest(t *testing.T) {
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, digested)
	again := func() [sha256.Size]byte {
		t.Helper()
		s, err := read(t.Context(), connect(t, dsn), "select", exposing("api"))
		if err != nil {
			t.Fatal(err)
		}
		return digest(t, s)
	}
	last := again()
	for range 5 {
		if again() != last {
			t.Fatal("the same catalog has several digests")
		}
	}
	for _, change := range []string{
		"alter policy own on api.own using (owner = current_setting('request.jwt.claims', true)::json->>'name')",
		"alter table api.a add column more int",
		"alter table api.b drop constraint ab",
		"create view api.v as select * from api.own",
		"create or replace view api.v as select * from api.own where exists (select from api.a)",
		"create index on api.own (owner)",
		"comment on table api.a is 'new'",
	} {
		pgtest.Exec(t, dsn, change)
		now := again()
		if now == last {
			t.Errorf("%s: the same digest", change)
		}
		last = now
	}
}

// Nothing of a snapshot is left out, but what is another one each time that it is loaded.
func TestDigestHasEverything(t *testing.T) {
	s := load(t, exposing("api"), digested)
	s.Relations[name("own")].PrimaryKey = []string{"id"}
	before := digest(t, s)
	tried := 0
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(path, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if f.IsExported() && path+"."+f.Name != ".Generation" && path+"."+f.Name != ".LoadedAt" {
					walk(path+"."+f.Name, v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range min(v.Len(), 2) {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Map:
			for key, value := range v.Seq2() {
				if value.Kind() == reflect.Pointer || value.Kind() == reflect.Slice {
					walk(fmt.Sprintf("%s[%v]", path, key), value)
				}
			}
		default:
			tried++
			old := reflect.ValueOf(v.Interface())
			set(v)
			if digest(t, s) == before {
				t.Errorf("%s makes no difference", path)
			}
			v.Set(old)
		}
	}
	walk("", reflect.ValueOf(s))
	if tried < 100 || digest(t, s) != before {
		t.Errorf("%d fields", tried)
	}
}

// set gives a value another one.
func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	}
}
