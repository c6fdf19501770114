package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

func TestOfURL(t *testing.T) {
	for name, c := range map[string]struct {
		url     string
		options scenario.Options
		want    string // the same as a file
	}{
		"nothing but a URL": {"http://localhost:3000", scenario.Options{}, `
			target: http://localhost:3000
			phases: [{duration: 10s, connections: 1}]
			requests: [{path: /}]`},
		"a path": {"https://localhost/a/b?c=${x}", scenario.Options{Variables: []string{"x: {zipf: 9}", "y: {env: Y}"}, Connections: 5, Seed: 3}, `
			target: https://localhost
			seed: 3
			variables: {x: {zipf: 9}, y: {env: Y}}
			phases: [{duration: 10s, connections: 5}]
			requests: [{path: '/a/b?c=${x}'}]`},
		"everything": {"http://localhost?a=b", scenario.Options{
			Method: "PUT", Headers: []string{"Prefer: a:b", "X:"}, Body: "{}", Rate: "10..50", Steps: 3, Duration: time.Minute, WarmUp: time.Second,
			Status: []string{"2xx", "409"}, Contains: "x", Arrivals: loadtest.Even, MaxConnections: 9, Protocol: loadtest.HTTP2, Timeout: time.Second,
		}, `
			target: http://localhost
			arrivals: even
			max-connections: 9
			http: 2
			timeout: 1s
			phases: [{name: warm-up, duration: 1s, rate: 10, warm-up: true}, {duration: 1m, rate: 10..50, steps: 3}]
			requests: [{path: '/?a=b', method: PUT, headers: {Prefer: a:b, X: ''}, body: '{}', expect: {status: [2xx, 409], body: {contains: x}}}]`},
		"a warm-up of a rate from 0": {"http://localhost/", scenario.Options{Rate: "0..50", WarmUp: time.Second}, `
			target: http://localhost
			phases: [{name: warm-up, duration: 1s, rate: 25, warm-up: true}, {duration: 10s, rate: 0..50}]
			requests: [{path: /}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scenario.OfURL(c.url, c.options)
			if err != nil {
				t.Fatal(err)
			}
			want, err := scenario.Parse("want", []byte(strings.ReplaceAll(c.want, "\t", "")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOfURLRefuses(t *testing.T) {
	for _, c := range []struct {
		url     string
		options scenario.Options
		want    string
	}{
		{"localhost:3000/a", scenario.Options{}, "target: begins with neither http:// nor https://; write one such as http://127.0.0.1:3000"},
		{"http://me:s3cret@localhost/", scenario.Options{}, "target: has a user in it; write a header Authorization, with a variable for what is secret"},
		{"http://me:s3cret@local host/", scenario.Options{}, "target: is not a URL; write one such as http://127.0.0.1:3000"},
		{"http://localhost#a", scenario.Options{}, "path: does not begin with /; write one such as /orders?id=eq.1\npath: a # begins what is not sent; write %23 for one that is"},
		{"http://localhost/${oder}", scenario.Options{Variables: []string{"order: {range: [1, 2]}"}}, "path: there is no variable oder; did you mean order?"},
		{"http://localhost/", scenario.Options{Rate: "many"}, `rate: "many" is not possible; write requests a second, such as 100 or 0.5, or 100..500 for a rate that changes, up to 1000000`},
		{"http://localhost/", scenario.Options{Rate: "5", Connections: 5}, "connections: does not go with a rate; remove one of the two (max-connections bounds those of all phases)"},
		{"http://localhost/", scenario.Options{Status: []string{"ok"}}, `status: "ok" is not possible; write a status such as 200, or a class such as 2xx`},
		{"http://localhost/", scenario.Options{Headers: []string{"s3cret"}}, "a header has no colon; write it as 'Name: value'"},
		{"http://localhost/", scenario.Options{Variables: []string{"x: {rang: [1]}", "y"}}, "variable:1:1: x: does not say where its values come from; write range, zipf, sequence, list, file or env, such as {range: [1, 100]}\nvariable:1:1: write a mapping, such as id: {range: [1, 100]}"},
	} {
		_, err := scenario.OfURL(c.url, c.options)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %+v:\ngot  %v\nwant %s", c.url, c.options, err, c.want)
		}
	}
}
