package promises_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestDrift looks at what the server believes that the database can do at a time, while somewhat more is asked for all the time: who
// takes the queue that he makes himself for how long the database takes would let in ever more, and who takes each timeout for
// overload ever less.
func TestDrift(t *testing.T) {
	pgtest.Server(t)
	for name, extra := range map[string][]scenario.Request{
		"at 1.2 × what the database can do":                  nil,
		"with one of 18 statements running into its timeout": {{Path: "/crowd_hung", Group: "default", Weight: 3}},
	} {
		t.Run(name, func(t *testing.T) { drift(t, name, extra) })
	}
}

func drift(t *testing.T, name string, extra []scenario.Request) {
	s := crowded(t, scale(4, 10), prioritized, func(s *site) {
		s.exec("create view api.crowd_hung as select 1 as id, pg_sleep(60)::text as slept; alter role ANON set statement_timeout = '300ms'")
		s.config.AdminServerPort = slipstream.AnyPort
	})
	calm, length := time.Duration(scale(1, 60))*time.Second, time.Duration(scale(5, 600))*time.Second
	l, _ := s.rush(30*time.Second, extra,
		loadtest.Phase{Name: "calm", Duration: calm, From: 0.5},
		loadtest.Phase{Name: "more", Duration: length, From: 1.2})
	var limits []float64
	most, started := 0, time.Now()
	stop := sampled(func() {
		most = max(most, s.running(t))
		if limit := s.metric(`slipstream_limit{class="read",upstream="primary"}`); time.Since(started) > 2*calm && time.Since(started) < calm+length {
			limits = append(limits, limit)
		}
	})
	res := s.loaded(l)
	stop()
	wrong := 0
	missed := func(is bool, format string, args ...any) {
		if is {
			wrong++
			t.Errorf(format, args...)
		}
	}
	lowest, middle, highest := slices.Min(limits), slices.Sorted(slices.Values(limits))[len(limits)/2], slices.Max(limits)
	missed(unanswered(res) > 0, "%d requests got no answer: %v", unanswered(res), res.Total.Errors)
	missed(most > s.config.DBPool, "%d statements at a time, with %d connections", most, s.config.DBPool)
	missed(lowest < 1 || highest > float64(s.config.DBPool), "the limit was from %v to %v, with %d connections", lowest, highest, s.config.DBPool)
	timeouts := res.Total.Errors["status 500"]
	if timeouts == 0 && extra != nil {
		t.Errorf("%v: not what was to be tried", res.Total.Errors)
	}
	if full() {
		missed(lowest < 0.7*middle || highest > 1.3*middle, "the limit was from %v to %v, in the middle %v", lowest, highest, middle)
	}
	record(t, "A4", fmt.Sprintf("%v %s: %d requests, of them %d answered right, %d ran into their timeout; the limit was from %v to %v, in the middle %v; at most %d statements at a time",
		length, name, res.Total.Sent, res.Total.Good, timeouts, lowest, highest, middle, most), wrong)
}

// metric is a number of the admin server's page, by its name and labels.
func (s *site) metric(name string) float64 {
	response, err := http.Get("http://" + s.AdminAddr() + "/metrics")
	if err != nil {
		s.t.Error(err)
		return 0
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(page)
	if err != nil || found == nil {
		s.t.Errorf("no metric %s: %v", name, err)
		return 0
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		s.t.Error(err)
	}
	return value
}
