package scenario_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// FuzzParse holds that what Parse takes is written and read again as the same, and that its requests can be sent.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/parse/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("f.yaml", text)
		if err != nil {
			if s != nil || err.Error() == "" || strings.Contains(err.Error(), "%!") {
				t.Fatalf("a refusal without a reason, or with a scenario: %v", err)
			}
			return
		}
		again(t, s)
		if load, err := s.Load("testdata/parse", environment); err == nil {
			sendable(t, load)
		}
	})
}

// again writes and reads a scenario.
func again(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	var first, second strings.Builder
	if err := s.WriteYAML(&first); err != nil {
		t.Fatal(err)
	}
	got, err := scenario.Parse("again.yaml", []byte(first.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, first.String())
	}
	if err := got.WriteYAML(&second); err != nil || first.String() != second.String() {
		t.Fatalf("%v\n%s\nthen\n%s", err, first.String(), second.String())
	}
}

// sendable holds that nothing in a request could end it early, or begin another.
func sendable(t *testing.T, load loadtest.Load) {
	t.Helper()
	var r loadtest.Request
	for n := range uint64(20) {
		load.Source.Request(n, &r)
		if len(r.Path) == 0 || r.Path[0] != '/' || bytes.ContainsFunc(r.Path, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			t.Errorf("path %q", r.Path)
		}
		for _, h := range r.Header {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || h.Name == "" || strings.ContainsAny(h.Name, ": ") {
				t.Errorf("header %q: %q", h.Name, h.Value)
			}
		}
		if r.Method == "" || strings.ContainsAny(r.Method, " \r\n") || r.Shape >= len(load.Source.Shapes()) {
			t.Errorf("%+v", r)
		}
	}
}

// secretToFind is in the fuzzed recordings, where only its looks tell that it is one.
const secretToFind = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoid2ViX3VzZXIifQ.c2lnbmF0dXJl"

// FuzzFromAccessLog holds that any log gives a scenario that can be sent and has no secrets, or an error without them.
func FuzzFromAccessLog(f *testing.F) {
	f.Add("GET", "/orders", "id=eq.1", "web_anon", int64(0), []byte("{}\n"))
	f.Add("HEAD", "/orders/TOKEN", "a=TOKEN&TOKEN", "TOKEN", int64(1e18), []byte("\xff"))
	f.Add("GET", "/%zz", "or=(a.eq.TOKEN)&$=$&select=$${x}", "a", int64(-1), []byte(`{"msg":"request"}`))
	f.Fuzz(func(t *testing.T, method, path, query, role string, at int64, more []byte) {
		secret := strings.NewReplacer("TOKEN", secretToFind)
		log := accessLog(t, []telemetry.Access{
			{Time: noon(0), Method: "GET", Path: "/first", Status: 200},
			{Time: noon(0).Add(time.Duration(at)), Method: method, Path: secret.Replace(path), Query: secret.Replace(query), Role: secret.Replace(role), Status: 404},
			{Time: noon(1), Method: "GET", Path: "/other", Query: "x=" + url.QueryEscape(secret.Replace(query)), Status: 200},
		})
		log.Write(more)
		recorded(t, func() (*scenario.Scenario, scenario.Summary, error) { return scenario.FromAccessLog(log) })
	})
}

// FuzzFromHAR is the same for archives, whose bodies can have secrets, too.
func FuzzFromHAR(f *testing.F) {
	f.Add("POST", "/orders?id=eq.1", "application/json", `{"a": "TOKEN", "b": [1, {"c": null}]}`, "Prefer", "a")
	f.Add("POST", "/TOKEN", "application/x-www-form-urlencoded", `a=b&TOKEN=1`, "Cookie", "a=TOKEN")
	f.Add("PUT", "?TOKEN", "text/plain; charset=TOKEN", `TOKEN`, "Accept", "TOKEN")
	f.Fuzz(func(t *testing.T, method, target, bodyType, body, header, value string) {
		secret := strings.NewReplacer("TOKEN", secretToFind)
		type object = map[string]any
		archive, err := json.Marshal(object{"log": object{"entries": []object{
			{"startedDateTime": noon(0), "request": object{"method": "GET", "url": "http://h/"}},
			{"startedDateTime": noon(1), "request": object{
				"method": method, "url": "http://h" + secret.Replace(target), "headers": []object{{"name": header, "value": secret.Replace(value)}},
				"postData": object{"mimeType": secret.Replace(bodyType), "text": secret.Replace(body)},
			}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		recorded(t, func() (*scenario.Scenario, scenario.Summary, error) {
			return scenario.FromHAR(bytes.NewReader(archive))
		})
	})
}

// recorded checks a recording.
func recorded(t *testing.T, record func() (*scenario.Scenario, scenario.Summary, error)) {
	t.Helper()
	s, summary, err := record()
	if err != nil {
		if strings.Contains(err.Error(), secretToFind) {
			t.Errorf("a secret is in the error: %v", err)
		}
		return
	}
	if all := written(t, s, summary); strings.Contains(all, secretToFind) {
		t.Errorf("a secret is in the recording:\n%s", all)
	}
	again(t, s)
	var load loadtest.Load
	if len(summary.Files) > 0 {
		load = replayed(t, s, summary)
	} else if load, err = s.Load("", environment); err != nil {
		t.Fatal(err)
	}
	sendable(t, load)
}
