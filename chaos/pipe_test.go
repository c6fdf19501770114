package chaos_test

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
)

func TestLatencyIsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Latency: chaos.Latency{Delay: time.Second}})
		defer l.Close()
		client, upstream := l.connect()
		asked, answered := receive(upstream.get()), receive(client)
		_, _ = io.WriteString(client, "question")
		_, _ = io.WriteString(upstream.conn, "answer")
		time.Sleep(10 * time.Second)
		if len(asked.when()) != 1 || asked.when()[0] != 0 {
			t.Errorf("the question took %v, want nothing", asked.when())
		}
		if len(answered.when()) != 1 || answered.when()[0] != time.Second {
			t.Errorf("the answer took %v, want 1 s", answered.when())
		}
		_ = client.Close()
	})
}

// A long way is no narrow one: bytes do not wait for those before them.
func TestLatencyTakesNoBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Latency: chaos.Latency{Delay: time.Second}})
		defer l.Close()
		client, upstream := l.connect()
		answer := receive(client)
		sent := strings.Repeat("0123456789abcdef", 8<<10) // more than waits for a slow receiver
		_, _ = io.WriteString(upstream.get(), sent)
		_ = upstream.conn.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if got, err := answer.all(); got != sent || !errors.Is(err, io.EOF) {
			t.Errorf("after 1 s there are %d bytes of %d, %v", len(got), len(sent), err)
		}
	})
}

func TestJitterKeepsTheOrder(t *testing.T) {
	times := func(seed uint64) (all []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			l := &lab{t: t, entrance: newMemory(), exit: newMemory()}
			config := l.config(chaos.Fault{Latency: chaos.Latency{Delay: time.Second, Jitter: time.Second / 2}})
			config.Seed = seed
			var err error
			if l.Proxy, err = config.Open(); err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, upstream := l.connect()
			answer := receive(client)
			var sent strings.Builder
			for n := range 200 {
				text := string(rune('a' + n%26))
				sent.WriteString(text)
				_, _ = io.WriteString(upstream.get(), text)
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			if got, _ := answer.all(); got != sent.String() {
				t.Errorf("got %q", got)
			}
			all = answer.when()
			_ = client.Close()
		})
		return all
	}
	one, again, other := times(1), times(1), times(2)
	least, most := time.Hour, time.Duration(0)
	for n, at := range one {
		took := at - time.Duration(n)*10*time.Millisecond
		least, most = min(least, took), max(most, took)
	}
	if len(one) != 200 || least < time.Second/2 || most > 3*time.Second/2 || most-least < time.Second/4 {
		t.Errorf("%d parts took from %s to %s", len(one), least, most)
	}
	same, differs := true, false
	for n := range one {
		same = same && one[n] == again[n]
		differs = differs || one[n] != other[n]
	}
	if !same || !differs {
		t.Errorf("one seed is the same: %t; another differs: %t", same, differs)
	}
}

func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Bandwidth: 1000})
		defer l.Close()
		client, upstream := l.connect()
		asked := receive(upstream.get())
		began := time.Now()
		_, _ = io.WriteString(client, strings.Repeat("x", 10_000))
		_ = client.Close()
		for {
			if _, err := asked.all(); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		text, _ := asked.all()
		if took := time.Since(began).Seconds(); len(text) != 10_000 || math.Abs(took-10) > 0.1 {
			t.Errorf("%d bytes took %v s, want 10,000 in 10", len(text), took)
		}
	})
}

// A narrow line is felt by who sends.
func TestBandwidthHoldsTheSenderUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Bandwidth: 1000})
		defer l.Close()
		client, upstream := l.connect()
		receive(upstream.get())
		began := time.Now()
		_, _ = io.WriteString(client, strings.Repeat("x", 200_000))
		if took := time.Since(began); took < 100*time.Second {
			t.Errorf("200,000 bytes were taken within %s", took)
		}
		_ = client.Close()
	})
}

func TestSlowOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{SlowOpen: 3 * time.Second})
		defer l.Close()
		began := time.Now()
		client, upstream := l.connect()
		upstream.get()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
		_ = client.Close()
	})
}

func TestBlackholeKeepsWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.Close()
		client, upstream := l.connect()
		asked := receive(upstream.get())
		end, err := l.Inject(chaos.Fault{Blackhole: &chaos.Point{}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(client, "question")
		_ = client.Close()
		time.Sleep(time.Hour)
		if got, err := asked.all(); got != "" || err != nil {
			t.Errorf("got %q, %v in the hole", got, err)
		}
		end()
		synctest.Wait()
		if got, err := asked.all(); got != "question" || !errors.Is(err, io.EOF) {
			t.Errorf("got %q, %v after it", got, err)
		}
	})
}

func TestBlackholeOfOneDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Blackhole: &chaos.Point{}, Direction: chaos.ToClient})
		defer l.Close()
		client, upstream := l.connect()
		asked, answered := receive(upstream.get()), receive(client)
		_, _ = io.WriteString(client, "question")
		_, _ = io.WriteString(upstream.conn, "answer")
		time.Sleep(time.Hour)
		question, _ := asked.all()
		answer, _ := answered.all()
		if question != "question" || answer != "" {
			t.Errorf("got %q and %q", question, answer)
		}
	})
}

// A new connection is accepted, and nobody else knows of it.
func TestBlackholeAtTheOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Blackhole: &chaos.Point{}, For: time.Minute})
		defer l.Close()
		began := time.Now()
		client, upstream := l.connect()
		go func() { _, _ = io.WriteString(client, "question") }()
		asked := receive(upstream.get())
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the upstream was asked after %s", took)
		}
		synctest.Wait()
		if got, _ := asked.all(); got != "question" {
			t.Errorf("got %q", got)
		}
	})
}

func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{At: time.Minute, HalfOpen: &chaos.Point{}})
		defer l.Close()
		client, upstream := l.connect()
		asked, answered := receive(upstream.get()), receive(client)
		_, _ = io.WriteString(client, "before")
		time.Sleep(2 * time.Minute)
		if got, err := asked.all(); got != "before" || !errors.Is(err, io.EOF) {
			t.Errorf("the upstream has %q, %v", got, err)
		}
		if _, err := io.WriteString(client, "after"); err != nil {
			t.Errorf("the client was told: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := answered.all(); err != nil {
			t.Errorf("the client was told: %v", err)
		}
		_ = client.Close()
		synctest.Wait() // nothing is left of it, or the bubble does not end
	})
}

func TestHalfOpenOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{HalfOpen: &chaos.Point{Bytes: 4}, Direction: chaos.ToClient})
		defer l.Close()
		client, upstream := l.connect()
		asked, answered := receive(upstream.get()), receive(client)
		_, _ = io.WriteString(upstream.conn, "answer")
		time.Sleep(time.Minute)
		if got, err := answered.all(); got != "answ" || err == nil {
			t.Errorf("the client has %q, %v", got, err)
		}
		if _, err := asked.all(); err != nil {
			t.Errorf("the upstream was told: %v", err)
		}
		_ = upstream.conn.Close()
	})
}

func TestTruncateAndCut(t *testing.T) {
	for fault, want := range map[string][2]string{
		"truncate: 4":                                     {"question", "answ"},
		"cut: 4, direction: upstream":                     {"ques", "answer"},
		"cut: true":                                       {"", ""},
		"cut: 4, connections: {nth: 2}":                   {"question", "answer"},
		"cut: 4, connections: {every: 2}":                 {"question", "answer"},
		"cut: 4, connections: {from: ::1}":                {"question", "answer"},
		"cut: 4, connections: {from: 10.0.0.0/8, nth: 1}": {"question", "answ"},
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, err := chaos.ParseFault(fault)
				if err != nil {
					t.Fatal(err)
				}
				l := newLab(t, f)
				defer l.Close()
				client, upstream := l.connect()
				answered := receive(client)
				go func() {
					_, _ = io.WriteString(client, "question")
				}()
				synctest.Wait()
				var asked *receiver
				select {
				case <-upstream.ready:
					asked = receive(upstream.conn)
					synctest.Wait()
					_, _ = io.WriteString(upstream.conn, "answer")
				default:
					asked = &receiver{}
					_ = l.exit.Close()
				}
				synctest.Wait()
				question, _ := asked.all()
				answer, closed := answered.all()
				if want[1] == "answer" && want[0] == "ques" {
					answer = want[1] // it may be there or not when the connection is cut
				}
				if got := [2]string{question, answer}; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if isWhole := want == [2]string{"question", "answer"}; isWhole != (closed == nil) {
					t.Errorf("the connection: %v", closed)
				}
				_ = client.Close()
			})
		})
	}
}

func TestDelayAtBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Delay: &chaos.Point{Bytes: 4, By: time.Minute}})
		defer l.Close()
		client, upstream := l.connect()
		answered := receive(client)
		_, _ = io.WriteString(upstream.get(), "answer")
		time.Sleep(2 * time.Minute)
		got, _ := answered.all()
		if len(answered.when()) != 2 || got != "answer" || answered.when()[0] != 0 || answered.when()[1] != time.Minute {
			t.Errorf("%q at %v", got, answered.when())
		}
		_ = client.Close()
	})
}

func TestCorrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{Corrupt: 0.01, Direction: chaos.ToClient})
		defer l.Close()
		client, upstream := l.connect()
		answered := receive(client)
		sent := strings.Repeat("x", 100_000)
		_, _ = io.WriteString(upstream.get(), sent)
		synctest.Wait()
		got, _ := answered.all()
		wrong := 0
		for i := range got {
			if got[i] != 'x' {
				wrong++
			}
		}
		if len(got) != len(sent) || wrong < 800 || wrong > 1200 || uint64(wrong) != l.Counts()["corrupt"] {
			t.Errorf("%d of %d bytes are wrong, and counted %v", wrong, len(got), l.Counts())
		}
		_ = client.Close()
	})
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := newLab(t, chaos.Fault{Name: "hole", Refuse: true, At: 10 * time.Second, For: 5 * time.Second, Every: 30 * time.Second})
		time.Sleep(50 * time.Second)
		_ = l.Close()
		var got []string
		for _, e := range l.events { // Close has ended all who write it
			got = append(got, string(e.Action)+" "+e.Fault+" "+e.Time.Sub(began).String())
		}
		if want := "begun hole 10s, ended hole 15s, begun hole 40s, ended hole 45s"; strings.Join(got, ", ") != want {
			t.Errorf("%q, want %s", got, want)
		}
	})
}
