package chaos_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
)

func TestAProxyWithoutFaultsIsNoticedByNobody(t *testing.T) {
	noLeaks(t)
	p := through(t, echo(t))
	var all sync.WaitGroup
	for range 8 {
		c := dial(t, p.Addr())
		sent := strings.Repeat("0123456789", 300_000)
		all.Go(func() {
			_, _ = io.WriteString(c, sent)
			_ = c.(*net.TCPConn).CloseWrite()
		})
		if got, err := io.ReadAll(c); string(got) != sent || err != nil {
			t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
		}
	}
	all.Wait()
	if p.Connections() != 8 || len(p.Counts()) != 0 {
		t.Error(p.Connections(), p.Counts())
	}
}

func TestReset(t *testing.T) {
	noLeaks(t)
	upstream := make(chan error, 1)
	p := through(t, listen(t, func(c net.Conn) {
		_, err := io.Copy(c, c)
		upstream <- err
	}))
	c := dial(t, p.Addr())
	if err := ask(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := p.Set(chaos.Fault{Reset: &chaos.Point{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client has %v", err)
	}
	if err := <-upstream; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the upstream has %v", err)
	}
	if err := attempt(p.Addr(), "hello"); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a new client has %v", err)
	}
	if n := p.Counts()["reset"]; n != 2 {
		t.Errorf("counted %d", n)
	}
	if err := p.Set(); err != nil {
		t.Fatal(err)
	}
	if err := ask(dial(t, p.Addr()), "hello"); err != nil {
		t.Error(err)
	}
}

func TestResetAfterBytes(t *testing.T) {
	noLeaks(t)
	p := through(t, echo(t), chaos.Fault{Reset: &chaos.Point{Bytes: 10}})
	c := dial(t, p.Addr())
	if err := ask(c, "123456789"); err != nil { // and its end of line
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// What breaks at one end is broken at the other.
func TestAResetIsPassedOn(t *testing.T) {
	noLeaks(t)
	p := through(t, listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
	}))
	c := dial(t, p.Addr())
	_, _ = io.WriteString(c, "x")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

func TestCutIsInGoodOrder(t *testing.T) {
	noLeaks(t)
	p := through(t, echo(t), chaos.Fault{Truncate: 4})
	c := dial(t, p.Addr())
	_, _ = io.WriteString(c, "question")
	if got, err := io.ReadAll(c); string(got) != "ques" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRefuse(t *testing.T) {
	noLeaks(t)
	p := through(t, echo(t))
	before := dial(t, p.Addr())
	if err := ask(before, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := p.Set(chaos.Fault{Refuse: true}); err != nil {
		t.Fatal(err)
	}
	if err := ask(dial(t, p.Addr()), "hello"); err == nil {
		t.Error("answered")
	}
	if err := ask(before, "hello"); err != nil {
		t.Errorf("refused one that there was: %v", err)
	}
}

func TestRedirectAndCut(t *testing.T) {
	noLeaks(t)
	hello := func(text string) string {
		return listen(t, func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		})
	}
	p := through(t, hello("one"))
	c := dial(t, p.Addr())
	buf := make([]byte, 3)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "one" {
		t.Error(string(buf), err)
	}
	p.Redirect(hello("two"))
	p.Cut()
	if _, err := c.Read(buf); err == nil {
		t.Error("not cut")
	}
	if _, err := io.ReadFull(dial(t, p.Addr()), buf); err != nil || string(buf) != "two" {
		t.Error(string(buf), err)
	}
}

func TestAnUpstreamThatIsNotThere(t *testing.T) {
	noLeaks(t)
	p := through(t, "127.0.0.1:1")
	if got, err := io.ReadAll(dial(t, p.Addr())); len(got) != 0 || err != nil {
		t.Error(got, err)
	}
	if p.Counts()["unreachable"] != 1 {
		t.Error(p.Counts())
	}
}

// The same seed has the same connections met, and about as many as it says.
func TestProbabilityIsRepeatable(t *testing.T) {
	noLeaks(t)
	met := func(seed uint64) string {
		p, err := chaos.ProxyConfig{Upstream: echo(t), Seed: seed, Faults: []chaos.Fault{{Refuse: true, Probability: 0.5}}}.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var pattern strings.Builder
		for range 60 {
			c := dial(t, p.Addr())
			if ask(c, "x") == nil {
				pattern.WriteString(".")
			} else {
				pattern.WriteString("x")
			}
			c.Close()
		}
		return pattern.String()
	}
	one, again, other := met(1), met(1), met(2)
	if n := strings.Count(one, "x"); one != again || one == other || n < 15 || n > 45 {
		t.Errorf("\n%s\n%s\n%s", one, again, other)
	}
}

func TestEvents(t *testing.T) {
	noLeaks(t)
	events := make(chan chaos.Event, 9)
	p, err := chaos.ProxyConfig{Name: "db", Upstream: echo(t), Events: func(e chaos.Event) { events <- e }}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	end, err := p.Inject(chaos.Fault{Name: "crash", Reset: &chaos.Point{Bytes: 6}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, p.Addr())
	_ = ask(c, "hello")
	_, _ = c.Read(make([]byte, 1))
	end()
	end()
	want := []chaos.Event{
		{Action: chaos.Begun, Detail: "name: crash, reset: {bytes: 6}"},
		{Action: chaos.Injected, Connection: 1, Client: c.LocalAddr().String(), Detail: "after 6 bytes"},
		{Action: chaos.Ended},
	}
	for _, w := range want {
		e := <-events
		if e.Time.IsZero() || time.Since(e.Time) < 0 {
			t.Error(e.Time)
		}
		w.Time, w.Proxy, w.Fault = e.Time, "db", "crash"
		if e != w {
			t.Errorf("got %+v\nwant %+v", e, w)
		}
	}
}

func TestAClosedProxyTakesNoFaults(t *testing.T) {
	noLeaks(t)
	p := through(t, "127.0.0.1:1", chaos.Fault{Refuse: true, At: time.Hour})
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := p.Set(chaos.Fault{Refuse: true}); err == nil {
		t.Error("taken")
	}
}
