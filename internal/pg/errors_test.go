package pg_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
)

func TestAConnectionStringIsNeverRepeated(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:se/cr3t@h/db", "postgres://u:s%zzcr3t@h/db", "postgres://u:s cr3t@h/db", "postgres://u:cr3t@h:po/db",
		"postgres://u:cr3t@h/db?sslmode=wrong", "postgres://u:cr3t`: @h:po/db", "host=h password=cr3t port=abc",
		"host=h password='cr3t", "host=h password=x cr3t", "cr3t", "postgres://u:cr3t@h/db?pool_max_conns=x",
		"postgres://u:cr3t@h/db?sslmode=verify-full&sslrootcert=/no/such/file", "host=h password=cr3t sslpassword=cr3t sslmode=x",
	} {
		_, err := pg.Open(pg.Options{DSN: dsn})
		if err == nil {
			t.Errorf("%s is accepted", dsn)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, "cr3t") {
				t.Errorf("%s: shown in %s", dsn, text)
			}
		}
	}
}

func TestAConnectionStringsMistakeIsNamed(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u:p@h:po/db":              "invalid port",
		"postgres://u:p@h/db?sslmode=wrong":   "sslmode is invalid",
		"postgres://u:p%zz@h/db":              "invalid percent-encoded token in password",
		"host=h port=1 nonsense":              "postgres://user:password@host:port/database",
		"postgres://u@h/db?pool_max_conns=0x": "pool_max_conns",
	} {
		if _, err := pg.Open(pg.Options{DSN: dsn}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestConnectErrors(t *testing.T) {
	w := newWorld(t)
	_, tcp := newProxy(t, w.dsn) // a Unix socket knows no TLS
	for name, dsn := range map[string]string{
		"no server":   "postgres://u:cr3t@127.0.0.1:1/db",
		"no database": w.dsn[:strings.LastIndex(w.dsn, "/")] + "/no_such_database" + query(w.dsn),
		"no TLS":      strings.Replace(tcp, "sslmode=disable", "sslmode=require", 1),
	} {
		db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
		for range 2 { // the second is told what the first has found
			_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
			var unreachable *pg.ConnectError
			if !errors.As(err, &unreachable) || strings.Contains(err.Error(), "cr3t") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := db.Ping(t.Context()); err == nil {
			t.Errorf("%s: a ping comes back", name)
		}
	}
}

func query(dsn string) string {
	_, q, ok := strings.Cut(dsn, "?")
	if !ok {
		return ""
	}
	return "?" + q
}
