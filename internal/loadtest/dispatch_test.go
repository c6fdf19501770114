package loadtest_test

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// moody is a server in virtual time that answers late or never, closes connections before and after answers, and refuses some.
type moody struct {
	mu       sync.Mutex
	random   *rand.Rand
	busy     int
	mostBusy int
	answers  map[string]int // by path
}

func (m *moody) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

func (m *moody) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	select {
	case <-time.After(ms(float64(m.draw(50)))):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.draw(10) == 0 {
		return nil, syscall.ECONNREFUSED
	}
	ours, theirs := net.Pipe()
	go m.serve(theirs)
	return ours, nil
}

func (m *moody) serve(conn net.Conn) {
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		for rest := line; rest != "\r\n" && err == nil; {
			rest, err = r.ReadString('\n')
		}
		m.count(1)
		time.Sleep(ms(float64(m.draw(300))))
		mood := m.draw(12)
		m.count(-1) // before the client knows of it
		switch mood {
		case 0: // forever
			_, _ = io.Copy(io.Discard, conn)
			return
		case 1:
			return
		}
		text := hello
		if mood == 2 {
			text = strings.Replace(hello, "\r\n", "\r\nConnection: close\r\n", 1)
		}
		if _, err := io.WriteString(conn, text); err != nil || mood == 3 {
			return
		}
		m.mu.Lock()
		m.answers[strings.Fields(line)[1]]++
		m.mu.Unlock()
	}
}

func (m *moody) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy += n
	m.mostBusy = max(m.mostBusy, m.busy)
}

// Whatever a server does, and however phases follow one another: the run ends, every request is sent at most once and is
// either good or an error, the generator is never late by its own fault, and nothing is counted twice.
func TestEveryRequestIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := loadtest.Load{
			Source: gets(), Arrivals: rapid.SampledFrom([]loadtest.Arrivals{loadtest.Poisson, loadtest.Even}).Draw(rt, "arrivals"),
			Connections: rapid.IntRange(1, 5).Draw(rt, "connections"), MaxConnections: rapid.IntRange(1, 8).Draw(rt, "most"), Timeout: time.Second,
		}
		var whole time.Duration
		for range rapid.IntRange(1, 4).Draw(rt, "phases") {
			p := loadtest.Phase{Duration: ms(float64(rapid.IntRange(1, 3000).Draw(rt, "duration"))), WarmUp: rapid.Bool().Draw(rt, "warm-up")}
			if rapid.Bool().Draw(rt, "open") {
				p.From, p.To = rapid.Float64Range(0, 60).Draw(rt, "from"), rapid.Float64Range(1, 60).Draw(rt, "to")
			}
			l.Phases = append(l.Phases, p)
			whole += p.Duration
		}
		m := &moody{random: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)), answers: map[string]int{}}
		var res *loadtest.Result
		synctest.Test(t, func(t *testing.T) {
			l.Target, l.Dial = at(t, "http://virtual"), m.dial
			var err error
			if res, err = loadtest.RunVirtual(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second) // until the server's last connections have seen that they are closed
		})
		accountFor(rt, l, m, res, whole)
	})
}

func accountFor(t *rapid.T, l loadtest.Load, m *moody, res *loadtest.Result, whole time.Duration) {
	if most := max(l.Connections, l.MaxConnections); m.mostBusy > most || int(res.Generator.Connections) > most {
		t.Errorf("%d requests under way, %d connections, not at most %d", m.mostBusy, res.Generator.Connections, most)
	}
	for path, n := range m.answers {
		if n > 1 {
			t.Errorf("%s was answered %d times", path, n)
		}
	}
	// The last request may be sent at the end, have to be repeated, and time out in the dial and in the answer.
	if res.Took > whole+3*time.Second {
		t.Errorf("took %v of %v", res.Took, whole)
	}
	if late := res.Generator.Late.Max(); late > 0 {
		t.Errorf("late by %d µs in virtual time", late)
	}
	var phases loadtest.Row
	for i := range res.Phases {
		p := &res.Phases[i].Row
		account(t, p)
		if l.Phases[i].Closed() && p.Due != p.Sent {
			t.Errorf("phase %d: %d due in a closed loop, %d sent", i, p.Due, p.Sent)
		}
		phases.Due, phases.Sent, phases.Good = phases.Due+p.Due, phases.Sent+p.Sent, phases.Good+p.Good
		if l.Phases[i].WarmUp {
			continue
		}
		res.Total.Due, res.Total.Sent, res.Total.Good = res.Total.Due-p.Due, res.Total.Sent-p.Sent, res.Total.Good-p.Good
	}
	if res.Total.Due != 0 || res.Total.Sent != 0 || res.Total.Good != 0 {
		t.Errorf("the phases and the total differ by %d due, %d sent, %d good", res.Total.Due, res.Total.Sent, res.Total.Good)
	}
	for _, v := range res.Series {
		phases.Due, phases.Sent, phases.Good = phases.Due-v.Due, phases.Sent-v.Sent, phases.Good-v.Good
	}
	if phases.Due != 0 || phases.Sent != 0 || phases.Good != 0 {
		t.Errorf("the phases and the series differ by %d due, %d sent, %d good", phases.Due, phases.Sent, phases.Good)
	}
}

func account(t *rapid.T, row *loadtest.Row) {
	sum := row.Good
	for _, n := range row.Errors {
		sum += n
	}
	if row.Sent != sum || row.Sent > row.Due {
		t.Errorf("%d due, %d sent, %d good, %v", row.Due, row.Sent, row.Good, row.Errors)
	}
	if n := row.Good + row.Errors["timeout"]; uint64(row.Latency.TotalCount()) != n || uint64(row.Own.TotalCount()) != n {
		t.Errorf("%d latencies, %d own, not %d", row.Latency.TotalCount(), row.Own.TotalCount(), n)
	}
}
