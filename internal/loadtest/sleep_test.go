package loadtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

func TestAlarmIsNeverEarly(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, 1, 10 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
		at := time.Now().Add(d)
		loadtest.SleepUntil(t.Context(), at)
		if early := time.Until(at); early > 0 {
			t.Errorf("after %v, %v too early", d, early)
		}
	}
}

func TestAlarmEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		loadtest.SleepUntil(ctx, time.Now().Add(time.Hour)) // the test's timeout comes before
	}()
	time.AfterFunc(10*time.Millisecond, cancel)
	<-done
	loadtest.SleepUntil(ctx, time.Now().Add(time.Hour)) // nor does it begin
}
