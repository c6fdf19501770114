package loadtest_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// overPipes runs a load against a server in virtual time that takes so long for each request, and for opening the n-th
// connection, from 0. It returns how many requests each connection carried since a time.
func overPipes(t *testing.T, l loadtest.Load, took time.Duration, opening func(n int) time.Duration, since time.Duration) (*loadtest.Result, []int) {
	t.Helper()
	var mu sync.Mutex
	var carried []int
	started := time.Now()
	serve := func(n int, conn net.Conn) {
		defer conn.Close()
		for awaitRequest(conn) {
			mu.Lock()
			if time.Since(started) >= since {
				carried[n]++
			}
			mu.Unlock()
			time.Sleep(took)
			io.WriteString(conn, hello)
		}
	}
	l.Target, l.Source, l.Arrivals = at(t, "http://virtual"), gets(), loadtest.Even
	l.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		mu.Lock()
		n := len(carried)
		carried = append(carried, 0)
		mu.Unlock()
		select {
		case <-time.After(opening(n)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		ours, theirs := net.Pipe()
		go serve(n, theirs)
		return ours, nil
	}
	res, err := loadtest.RunVirtual(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return res, carried
}

// The connection that was used last is used first, so that what a burst has opened does not stay warm.
func TestTheLastUsedConnectionIsUsedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loadtest.Load{Connections: 5, Phases: []loadtest.Phase{{Duration: time.Second}, {Duration: time.Second, From: 10, To: 10}}}
		_, carried := overPipes(t, l, ms(7), func(int) time.Duration { return 0 }, time.Second)
		users := 0
		for _, n := range carried {
			if n > 0 {
				users++
			}
		}
		if len(carried) < 5 || users != 1 { // the first of them may open another one, as the burst has not quite ended
			t.Errorf("ten requests a second went over the connections so: %v", carried)
		}
	})
}

// What is due does not wait for a connection that is slow to open when another gets free before.
func TestOpeningAConnectionHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := func(n int) time.Duration { return time.Duration(min(n, 1)) * 8 * time.Second }
		l := loadtest.Load{Phases: []loadtest.Phase{{Duration: 5 * time.Second, From: 20, To: 20}}}
		res, carried := overPipes(t, l, ms(60), opening, 0)
		// 5 s / 60 ms, and one that is sent just before the end.
		if res.Total.Good != 84 || carried[0] != 84 || res.Total.Due != 100 {
			t.Errorf("%d of %d, by connection %v", res.Total.Good, res.Total.Due, carried)
		}
		if res.Generator.Late.Max() > 0 || res.Generator.Waited == 0 {
			t.Errorf("late by %d µs, %d waited", res.Generator.Late.Max(), res.Generator.Waited)
		}
	})
}

// To open a connection takes time, in which requests that are due would have to wait.
func TestConnectionsAreOpenBeforeTheFirstRequestIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loadtest.Load{Phases: []loadtest.Phase{{Duration: time.Second, From: 1000, To: 1000}}}
		res, carried := overPipes(t, l, ms(10), func(int) time.Duration { return ms(300) }, 0)
		if late := res.Generator.Late.Max(); len(carried) < 10 || len(carried) > 11 || late > 1000 {
			t.Errorf("%d connections, a request was sent %d µs late", len(carried), late)
		}
	})
}

// Connections that were opened ahead and have never carried a request are closed by servers, too, as net/http's are after
// ReadHeaderTimeout.
func TestConnectionsLeftUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unused atomic.Int64
		serve := func(conn net.Conn) {
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			for n := 0; ; n++ {
				if !awaitRequest(conn) {
					if n == 0 {
						unused.Add(1)
					}
					return
				}
				_ = conn.SetReadDeadline(time.Time{})
				time.Sleep(500 * time.Microsecond)
				io.WriteString(conn, hello)
			}
		}
		res, err := loadtest.RunVirtual(t.Context(), loadtest.Load{
			Target: at(t, "http://virtual"), Source: gets(), Arrivals: loadtest.Even,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go serve(theirs)
				return ours, nil
			},
			Phases: []loadtest.Phase{{Duration: 11 * time.Second, From: 1000, To: 1000}, {Duration: 10 * time.Millisecond, From: 10_000, To: 10_000}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if unused.Load() < 5 || res.Total.Good != res.Total.Sent || res.Total.Sent < 11_000 {
			t.Errorf("%d connections were closed unused, %d of %d good, %v", unused.Load(), res.Total.Good, res.Total.Sent, res.Total.Errors)
		}
	})
}
