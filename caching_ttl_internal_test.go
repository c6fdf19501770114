package slipstream

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Renewals begin while there is room, survive what goes wrong in one of them, and end with the server.
func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewals(Config{DBPool: 4}, slog.New(slog.DiscardHandler))
		if r.start(func(context.Context) {}) {
			t.Error("one begins before the server runs")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			r.run(ctx)
			close(ended)
		}()
		synctest.Wait()
		for _, cause := range []any{"a mistake", http.ErrAbortHandler} {
			if !r.start(func(context.Context) { panic(cause) }) {
				t.Error("none begins")
			}
			synctest.Wait()
		}
		var over atomic.Int64
		until := func(ctx context.Context) {
			<-ctx.Done()
			over.Add(1)
		}
		for i, want := range []bool{true, true, false} {
			if got := r.start(until); got != want {
				t.Errorf("%d: %v, want %v", i, got, want)
			}
			synctest.Wait()
		}
		cancel()
		<-ended
		if n := over.Load(); n != 2 || r.start(until) {
			t.Errorf("%d have ended", n)
		}
	})
}
