package cache_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/slipstream-go/slipstream/cache"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cache.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if c.Await(ctx, 5) {
			t.Error("nothing was applied")
		}
		c.Open()
		results := map[uint64]chan bool{}
		for _, until := range []uint64{5, 6, 7} {
			result := make(chan bool, 1)
			results[until] = result
			go func() { result <- c.Await(ctx, until) }()
		}
		synctest.Wait()
		c.Applied(6)
		if !<-results[5] || !<-results[6] {
			t.Error("what was waited for was applied")
		}
		synctest.Wait()
		select {
		case <-results[7]:
			t.Error("what was waited for was not applied")
		default:
		}
		cancel()
		if <-results[7] {
			t.Error("it was given up")
		}
		if !c.Await(context.Background(), 6) {
			t.Error("it was applied long ago")
		}
		c.Applied(8)

		result := make(chan bool, 1)
		go func() { result <- c.Await(context.Background(), 9) }()
		synctest.Wait()
		c.Reset("another history")
		if <-result {
			t.Error("nobody knows")
		}
	})
}
