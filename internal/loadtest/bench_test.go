package loadtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

const hello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

// BenchmarkExchange is what one request costs, the server's part included.
func BenchmarkExchange(b *testing.B) {
	l := loadtest.Load{Target: listen(b, answering(hello)), Source: gets()}
	send, closes, err := loadtest.Exchange(b.Context(), l, false)
	if err != nil {
		b.Fatal(err)
	}
	defer closes()
	var r loadtest.Request
	b.ReportAllocs()
	for n := range b.N {
		l.Source.Request(uint64(n), &r)
		if a := send(&r); a.Status != 200 {
			b.Fatal(a)
		}
	}
}

// BenchmarkClosed sends for half a second, as much as 32 connections can.
func BenchmarkClosed(b *testing.B) {
	benchmarkRun(b, loadtest.Phase{Duration: time.Second / 2})
}

// BenchmarkOpen sends for half a second at a rate.
func BenchmarkOpen(b *testing.B) {
	benchmarkRun(b, loadtest.Phase{Duration: time.Second / 2, From: 1000, To: 1000})
}

func benchmarkRun(b *testing.B, p loadtest.Phase) {
	l := loadtest.Load{Target: listen(b, answering(hello)), Source: gets(), Phases: []loadtest.Phase{p}, Connections: 32}
	for b.Loop() {
		res, err := loadtest.Run(context.Background(), l)
		if err != nil || res.Total.Good != res.Total.Sent || res.Total.Good == 0 {
			b.Fatal(err, res)
		}
		g := res.Generator
		b.ReportMetric(float64(res.Total.Sent)/res.Took.Seconds(), "requests/s")
		b.ReportMetric(float64(res.Total.Latency.ValueAtQuantile(99)), "µs(p99)")
		b.ReportMetric(float64(g.Late.ValueAtQuantile(99)), "µs-late(p99)")
		b.ReportMetric(float64(g.Late.ValueAtQuantile(50)), "µs-late(p50)")
		b.ReportMetric(float64(g.Waited), "waited")
		b.ReportMetric(float64(g.Connections), "connections")
	}
}
