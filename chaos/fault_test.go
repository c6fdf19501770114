package chaos_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/chaos"
)

func TestFaultsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]chaos.Fault{
		"latency: 50ms±20ms":                     {Latency: chaos.Latency{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}},
		"direction: both, latency: 2s":           {Latency: chaos.Latency{Delay: 2 * time.Second}, Direction: chaos.Both},
		"probability: 1%, reset: true":           {Reset: &chaos.Point{}, Probability: 0.01},
		"bandwidth: 1MiB/s":                      {Bandwidth: 1 << 20},
		"at: 10s, for: 5s, refuse: true":         {At: 10 * time.Second, For: 5 * time.Second, Refuse: true},
		"name: a, corrupt: 0.01%":                {Name: "a", Corrupt: 0.0001},
		"truncate: 64KiB":                        {Truncate: 64 << 10},
		"connections: {every: 3}, slow-open: 1s": {Connections: chaos.Connections{Every: 3}, SlowOpen: time.Second},
		"half-open: {bytes: 1000}":               {HalfOpen: &chaos.Point{Bytes: 1000}},
		"cut: {before: CommandComplete, tag: COMMIT, nth: 2}": {
			Cut: &chaos.Point{Before: "CommandComplete", Tag: "COMMIT", Nth: 2},
		},
		"delay: {after: Query, sql: insert into, by: 2s}": {
			Delay: &chaos.Point{After: "Query", SQL: "insert into", By: 2 * time.Second},
		},
		"http: {method: GET, path: /api/*, status: 503}": {HTTP: &chaos.HTTP{Method: "GET", Path: "/api/*", Status: 503}},
	} {
		f, err := chaos.ParseFault(text)
		if diff := cmp.Diff(want, f); diff != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, diff)
		}
		if got := f.String(); got != text {
			t.Errorf("written as %s, want %s", got, text)
		}
		asJSON, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := chaos.ParseFault(string(asJSON))
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Errorf("%s: %v %s", asJSON, err, diff)
		}
	}
}

func TestUnitsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"latency: 50ms+-20ms": "latency: 50ms±20ms", "latency: 50ms±20": "latency: 50ms±20ms", "latency: 50ms ± 20ms": "latency: 50ms±20ms",
		"corrupt: 0.5": "corrupt: 50%", "corrupt: 100 %": "corrupt: 100%",
		"bandwidth: 8Mbit/s": "bandwidth: 1000000/s", "bandwidth: 1.5KiB/s": "bandwidth: 1536/s", "bandwidth: 10": "bandwidth: 10/s",
		"truncate: 1kB": "truncate: 1000", "truncate: 2 GiB": "truncate: 2GiB", "truncate: 100B": "truncate: 100",
		"cut: 64KiB": "cut: {bytes: 64KiB}",
	} {
		f, err := chaos.ParseFault(text)
		if err != nil || f.String() != want {
			t.Errorf("%s: %s, want %s; %v", text, f, want, err)
		}
	}
}

// Each mistake is told with its place and with what to write.
func TestFaultsThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"latency: 50":                             `1:11: "50" is no duration; write one such as 50ms or 2s`,
		"latency: 50ms±60ms":                      `1:11: 50ms±60ms varies by more than it is; write at most 50ms±50ms`,
		"latency: -50ms":                          `1:11: "-50ms" is no duration`,
		"corrupt: 101%":                           `1:11: "101%" is no probability; write one such as 1% or 0.01`,
		"refuse: true, probability: 0":            `"0" is no probability; write one such as 1% or 0.01, or leave the fault out`,
		"corrupt: NaN":                            `is no probability`,
		"bandwidth: 0":                            `1:13: "0" is no rate`,
		"bandwidth: fast":                         `1:13: "fast" is no rate; write one such as 64KiB/s`,
		"truncate: 1e300":                         `is no number of bytes`,
		"direction: up, refuse: true":             `1:13: "up" is no direction; write client, upstream or both`,
		"refuse: yes":                             `1:10: "yes" is neither true nor false`,
		"reset: sometimes":                        `1:9: "sometimes" is no point in a connection; write true`,
		"resett: true":                            `1:2: there is no resett here; there are at, bandwidth, blackhole`,
		"refuse: [true]":                          `write a plain value`,
		"connections: 3, refuse: true":            `1:15: write a mapping with some of every, from, nth`,
		"connections: {nth: -1}, refuse: true":    `"-1" is no whole number from 0`,
		"connections: {from: home}, refuse: true": `"home" is no address; write one such as 10.1.2.3`,
		"at: 10s":                                 `a fault has one kind, such as latency, reset or blackhole; this has 0 ()`,
		"refuse: true, reset: true":               `this has 2 (refuse, reset)`,
		"refuse: true, every: 5s":                 `every needs a for that is shorter`,
		"refuse: true, for: 5s, every: 5s":        `every needs a for that is shorter`,
		"truncate: 5, direction: upstream":        `truncate is for what goes to the client`,
		"cut: {before: Comit}":                    `there is no message Comit; there are Authentication, BackendKeyData, Bind`,
		"cut: {before: Query, after: Query}":      `a point has one of bytes, before and after`,
		"cut: {before: Query, bytes: 5}":          `a point has one of bytes, before and after`,
		"cut: {sql: COMMIT}":                      `sql, tag and nth need a message`,
		"cut: {before: Query, tag: COMMIT}":       `tag is for CommandComplete; Query has none`,
		"cut: {before: Sync, sql: COMMIT}":        `sql is for Query, Parse, Bind, Describe, Execute and Close; Sync has none`,
		"cut: {before: Query, by: 2s}":            `by is for delay, which needs it`,
		"delay: {before: Query}":                  `by is for delay, which needs it`,
		"delay: {by: 2s}":                         `delay needs a point`,
		"half-open: true, direction: both":        `half-open closes one side`,
		"half-open: {after: CopyData}":            `half-open cannot be at CopyData`,
		"http: {path: /}":                         `http needs one of status, delay and cut`,
		"http: {status: 503, delay: 2s}":          `http needs one of status, delay and cut`,
		"http: {status: 99}":                      `status 99 cannot be answered; write one from 200 to 599`,
		`http: {status: 503, path: "/[a"}`:        `"/[a" is no pattern for paths`,
		"refuse: true, refuse: true":              `not YAML: `,
		"refuse: {":                               `not YAML: `,
	} {
		_, err := chaos.ParseFault(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "fault:1:") {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

func TestFaultsOfTwoProtocols(t *testing.T) {
	http, sql := chaos.Fault{HTTP: &chaos.HTTP{Status: 500}}, chaos.Fault{Cut: &chaos.Point{After: "Query"}}
	if _, err := chaos.Listen("127.0.0.1:0", "127.0.0.1:1", http, sql); err == nil {
		t.Error("taken together")
	}
	p := through(t, "127.0.0.1:1", http)
	if _, err := p.Inject(sql); err == nil {
		t.Error("taken beside one another")
	}
	if err := p.Set(sql); err != nil {
		t.Errorf("instead of one another: %v", err)
	}
}
