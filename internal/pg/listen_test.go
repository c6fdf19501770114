package pg_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// listener is a Listen that runs until the end of the test.
type listener struct {
	t         testing.TB
	connected chan struct{}
	payloads  chan string
	failures  chan error
}

func listen(t testing.TB, dsn, channel string, heartbeat time.Duration) *listener {
	t.Helper()
	o := pg.Options{DSN: dsn}
	if heartbeat > 0 {
		o.ConnectTimeout = 500 * time.Millisecond // which bounds the question, too
	}
	db, err := pg.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if heartbeat > 0 {
		db.SetHeartbeat(heartbeat)
	}
	l := &listener{t, make(chan struct{}, 100), make(chan string, 10000), make(chan error, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db.Listen(ctx, channel, pg.ListenHandlers{
			Connected: func() { l.connected <- struct{}{} },
			Notified:  func(p string) { l.payloads <- p },
			Failed:    func(err error, _ time.Duration) { l.failures <- err },
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

func (l *listener) expect(want string) {
	l.t.Helper()
	if got := <-l.payloads; got != want {
		l.t.Errorf("payload %q, want %q", got, want)
	}
}

func TestListen(t *testing.T) {
	w := newWorld(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	const channel = `Odd "channel"`
	l := listen(t, w.dsn, channel, 0)
	<-l.connected
	var sql []string
	for i := range 500 {
		sql = append(sql, fmt.Sprintf(`notify "Odd ""channel""", '%d'`, i))
	}
	pgtest.Exec(t, w.super, sql...)
	pgtest.Exec(t, w.super, `notify "other", 'x'; notify "Odd ""channel"""`)
	for i := range 500 {
		l.expect(fmt.Sprint(i))
	}
	l.expect("")
}

func TestListenConnectsAgain(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	l := listen(t, dsn, "c", 0)
	<-l.connected
	for name, end := range map[string]func(){
		"network": p.cut,
		"session": func() {
			pgtest.Exec(t, w.super, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'slipstream listener' and datname = current_database()")
		},
	} {
		end()
		var lost *pg.LostError
		if err := <-l.failures; !errors.As(err, &lost) {
			t.Errorf("%s: %v", name, err)
		}
		<-l.connected
		pgtest.Exec(t, w.super, "notify c, 'again'")
		l.expect("again")
	}
}

func TestListenNoticesASilentEnd(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	l := listen(t, dsn, "c", 20*time.Millisecond)
	<-l.connected
	pgtest.Exec(t, w.super, "notify c, 'first'")
	l.expect("first")
	p.freeze(true)
	<-l.failures
	p.freeze(false)
	<-l.connected
	pgtest.Exec(t, w.super, "notify c, 'second'")
	l.expect("second")
}

func TestListenTakesThePrimary(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	<-listen(t, dsn, "c", 0).connected
	if seen := fmt.Sprint(p.take().messages); !strings.Contains(seen, "pg_is_in_recovery") {
		t.Errorf("it never asked: %s", seen)
	}
}

func TestListenTriesEveryHost(t *testing.T) {
	w := newWorld(t)
	_, dsn := newProxy(t, w.dsn)
	_, rest, _ := strings.Cut(dsn, "@")
	<-listen(t, strings.Replace(dsn, "@"+rest, "@127.0.0.1:1,"+rest, 1), "c", 0).connected
}
