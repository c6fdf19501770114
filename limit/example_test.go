package limit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

func Example() {
	limiter := limit.New(limit.Options{Max: 10})
	films := new(limit.Baseline) // one for each kind of work

	permit, _, err := limiter.Acquire(context.Background(), limit.Ask{
		Priority: limit.Priority{Tier: limit.Default, Cohort: limit.CohortOf("tenant 1", time.Now())},
		Tenant:   limit.TenantOf("tenant 1"),
		Shape:    films,
	})
	var shed *limit.ShedError
	if errors.As(err, &shed) {
		fmt.Println("come back in", shed.RetryAfter)
		return
	}
	begun := time.Now()
	fmt.Println("work")
	permit.Release(limit.Outcome{Took: time.Since(begun), Shape: films})
	fmt.Println(limiter.Stats().InFlight)
	// Output:
	// work
	// 0
}

// Reads cannot crowd out writes, and use what these leave.
func ExampleOptions_classes() {
	limiter := limit.New(limit.Options{Max: 10, Classes: []limit.Class{{Name: "read", Share: 0.7}, {Name: "write", Share: 0.3}}})
	for range 9 {
		_, _, _ = limiter.Acquire(context.Background(), limit.Ask{Class: 0})
	}
	_, _, err := limiter.Acquire(context.Background(), limit.Ask{Class: 0, Wait: time.Millisecond})
	fmt.Println("one more read:", err != nil)
	_, _, err = limiter.Acquire(context.Background(), limit.Ask{Class: 1})
	fmt.Println("a write:", err)
	// Output:
	// one more read: true
	// a write: <nil>
}

// Who has a permit does the work of one that waits together with its own.
func ExampleLimiter_Board() {
	limiter := limit.New(limit.Options{Max: 1})
	permit, _, _ := limiter.Acquire(context.Background(), limit.Ask{})
	result := make(chan any)
	go func() {
		_, passed, _ := limiter.Acquire(context.Background(), limit.Ask{Rider: "get film 7"})
		result <- passed
	}()
	for limiter.Stats().Queued == 0 {
		time.Sleep(time.Millisecond)
	}
	taken := limiter.Board(make([]*limit.Waiter, 0, 8), false, func(rider any) bool { return rider == "get film 7" })
	limiter.Depart(taken)
	for _, w := range taken {
		w.Pass("film 7")
	}
	fmt.Println(<-result)
	permit.Release(limit.Outcome{})
	// Output: film 7
}

func ExampleThrottle() {
	var throttle limit.Throttle // one for each upstream
	for range 100 {
		if throttle.Allow() {
			throttle.Done(false) // it failed
		}
	}
	fmt.Printf("of the next requests, %.0f %% are spared\n", 100*throttle.Stats().Refusal)
	// Output: of the next requests, 90 % are spared
}
