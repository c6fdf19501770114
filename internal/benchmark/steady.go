package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// steady is what users see of a server that has as much to do again in reserve: requests are sent at half the rate, when they
// are due and not when the last answer has come, and latency counts from then.
func (r *run) steady(ctx context.Context, sc scenario, keys keyRange, most float64, seed int) (load, error) {
	res, err := loadtest.Run(ctx, loadtest.Load{
		Target: &url.URL{Scheme: "http", Host: r.server.host}, Source: newRequests(r.server, sc, keys, seed), Seed: uint64(seed), //nolint:gosec // counts rounds
		Phases: []loadtest.Phase{{Duration: time.Duration(r.seconds) * time.Second, From: most / 2, To: most / 2}},
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return load{}, err
	}
	if len(res.Total.Errors) > 0 || res.Total.Good == 0 {
		return load{}, fmt.Errorf("at half the rate: %d good answers, %v", res.Total.Good, res.Total.Errors)
	}
	return fromResult(res).load, nil
}

// requests are those of a scenario, each with another key.
type requests struct {
	scenario
	keys    keyRange
	seed    uint64
	fields  []loadtest.Field
	bearers []string // of customers, by key
}

func newRequests(s *server, sc scenario, keys keyRange, seed int) *requests {
	q := &requests{scenario: sc, keys: keys, seed: uint64(seed)} //nolint:gosec // counts rounds
	for name, values := range sc.header() {
		for _, v := range values {
			q.fields = append(q.fields, loadtest.Field{Name: name, Value: v})
		}
	}
	if sc.asCustomer {
		for key := keys.low; key <= keys.high; key++ {
			q.bearers = append(q.bearers, "Bearer "+token(s.secret, key))
		}
	}
	return q
}

func (q *requests) Shapes() []loadtest.Shape {
	return []loadtest.Shape{{Name: q.name, Check: func(status int, _ []byte) string {
		if status < 200 || status > 299 {
			return "status " + strconv.Itoa(status)
		}
		return ""
	}}}
}

func (q *requests) Request(n uint64, r *loadtest.Request) {
	key := q.keys.low + rand.New(rand.NewPCG(q.seed, n)).IntN(q.keys.high-q.keys.low+1)
	r.Method, r.Path, r.Body = q.verb(), append(r.Path[:0], q.targetOf(key)...), append(r.Body[:0], q.bodyOf(key)...)
	r.Header = append(r.Header[:0], q.fields...)
	if q.asCustomer {
		r.Header = append(r.Header, loadtest.Field{Name: "Authorization", Value: q.bearers[key-q.keys.low]})
	}
}
