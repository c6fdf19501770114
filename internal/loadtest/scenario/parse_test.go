package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

func TestParseRefuses(t *testing.T) {
	const rest = "phases: [{duration: 1s, rate: 1}]\nrequests: [{path: /}]\n"
	for text, want := range map[string]string{
		rest:                                                   "s.yaml: target: is missing; write where requests go, such as http://127.0.0.1:3000",
		"target: http://\n" + rest:                             "s.yaml:1:1: target: has no host; write one such as http://127.0.0.1:3000",
		"target: http://x/?a=b\n" + rest:                       "s.yaml:1:1: target: has more than a host and a path; write the rest into the paths of requests",
		"target: ''\n" + rest:                                  `s.yaml:1:1: target: "" is not possible; write a text, or remove the line`,
		"target: http://x\n\xff: 1\n":                          "s.yaml: not UTF-8; save the file as such",
		"target: http://x\ntimeout: -5\n" + rest:               `s.yaml:2:1: timeout: "-5" is not possible; write a time with its unit, such as 500ms, 30s or 5m`,
		"target: http://x\n<<: {seed: 1}\n" + rest:             "s.yaml:2:1: write plain names before the colons",
		"target: http://x\nvariables: [a]\n" + rest:            "s.yaml:2:1: variables: write a mapping, such as id: {range: [1, 100]}",
		"target: http://x\nphases: 5s\nrequests: [{path: /}]":  "s.yaml:2:1: phases: write a list, such as - {duration: 10s, rate: 100}",
		"target: http://x\nphases: []\nrequests: []":           "s.yaml:2:1: phases: there are none; write at least one, such as - {duration: 10s, rate: 100}\ns.yaml:3:1: requests: there are none; write at least one, such as - path: /",
		"target: http://x\ntarget: http://y\n":                 `s.yaml:2:1: not YAML: mapping key "target" already defined at [1:1]`,
		"target: http://x\nvariables: {e: {env: ''}}\n" + rest: `s.yaml:2:17: variables.e.env: "" is not possible; write a text, or remove the line`,
		"target: http://x\nvariables: {e: {list: [a, b], weights: [9223372036854775807, 1]}}\n" + rest: "s.yaml:2:31: variables.e.weights: the weights are too great; divide them all by the same number",
		"target: http://x\nvariables: {order: {sequence: 1}}\nheaders: {X: '${oder}'}\n" + rest:        "s.yaml:3:11: headers.X: there is no variable oder; did you mean order?",
		"target: http://x\nheaders: {X: '${a b}'}\n" + rest:                                            `s.yaml:2:11: headers.X: "a b" is no name of a variable; write ${name} with letters, digits, _ and -, or $${ for a plain ${`,
	} {
		if _, err := scenario.Parse("s.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestLoadOfNoFile(t *testing.T) {
	if _, err := scenario.Load(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

// A scenario that was made by hand is checked as a file is.
func TestLoadChecks(t *testing.T) {
	s := scenario.Scenario{Target: "http://x", Requests: []scenario.Request{{Path: "x"}}}
	_, err := s.Load(".", environment)
	want := []string{
		"phases: there are none; write at least one, such as - {duration: 10s, rate: 100}",
		"requests[0].path: does not begin with /; write one such as /orders?id=eq.1",
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got %v", err)
	}
}
