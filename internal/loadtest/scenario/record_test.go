package scenario_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// accessLog is what Slipstream would write.
func accessLog(t rapid.TB, requests []telemetry.Access) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{Queue: len(requests) + 1})
	for i := range requests {
		log.Log(&requests[i])
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := log.Run(ended); err != nil {
		t.Fatal(err)
	}
	return &out
}

func noon(seconds float64) time.Time {
	return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// aDayInTheShop has a bit of everything.
func aDayInTheShop() []telemetry.Access {
	var all []telemetry.Access
	random := rand.New(rand.NewPCG(1, 1))
	add := func(at float64, role, method, path, query string, status int) {
		all = append(all, telemetry.Access{
			Time: noon(at), ID: "r", Method: method, Path: path, Query: query, Status: status, Took: time.Millisecond,
			Remote: "192.0.2.1:9", UserAgent: "curl", Role: role, Route: "orders",
		})
	}
	for i := range 400 { // 20 a second
		id := 1 + int(random.ExpFloat64()*3)
		add(float64(i)/20, "web_anon", "GET", "/orders", fmt.Sprintf("id=eq.%d&select=*,lines(*)&limit=10", id), 200)
	}
	for i := range 90 { // 30 a second, later
		add(20+float64(i)/30, "web_user", "GET", "/orders", fmt.Sprintf("customer=eq.%d&created=gte.2026-%02d-01&order=id.desc", i/3, 1+i%12), 206)
	}
	for i := range 30 {
		add(20+float64(i)/10, "web_anon", "GET", fmt.Sprintf("/shops/%d/items", i%2), "q=a%20b+c%2C&flag&deleted=is.null", []int{200, 404}[i%2])
	}
	add(21, "web_anon", "HEAD", "/", "", 200)
	add(21, "web_anon", "GET", "/orders", "apikey=***&email=eq.ann@example.com", 200)
	add(21, "web_anon", "GET", "/users/bob%40example.com", "or=(token.eq.hunter2,id.eq.1)", 200)
	add(22, "web_user", "POST", "/orders", "", 201)
	add(22, "web_user", "DELETE", "/orders", "id=eq.1", 204)
	add(22, "web_anon", "GET", "/orders", "bad=%zz", 400)
	add(22, "web_anon", "GET", "/orders", "id=in.("+strings.Repeat("1,", 3000)+"1)", 200)
	return all
}

func TestFromAccessLog(t *testing.T) {
	log := accessLog(t, aDayInTheShop())
	log.WriteString("starting\n\n{\"time\":\"2026-11-20T12:00:00Z\",\"level\":\"warn\",\"msg\":\"access log lines dropped\",\"dropped\":6}\n")
	s, summary, err := scenario.FromAccessLog(log)
	if err != nil {
		t.Fatal(err)
	}
	goldenRecording(t, "access_log", s, summary)
}

func TestFromHAR(t *testing.T) {
	archive, err := os.Open("testdata/record/shop.har")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	s, summary, err := scenario.FromHAR(archive)
	if err != nil {
		t.Fatal(err)
	}
	goldenRecording(t, "har", s, summary)
}

// goldenRecording saves a recording, compares all of it, and loads it again.
func goldenRecording(t *testing.T, name string, s *scenario.Scenario, summary scenario.Summary) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "shop.yaml")
	if err := s.Save(path, summary.Files); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(path, summary.Files); !errors.Is(err, fs.ErrExist) {
		t.Errorf("saved over what is there: %v", err)
	}
	all := summary.String()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("\n==> %s\n%s", f.Name(), b)
	}
	golden(t, "testdata/record/"+name+".golden", all)
	for _, secret := range []string{"s3cret", "hunter2", "example.com", "eyJ", "4f8Zk"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in the recording", secret)
		}
	}
	saved, err := scenario.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	load, err := saved.Load(dir, environment)
	if err != nil {
		t.Fatal(err)
	}
	var r loadtest.Request
	for n := range uint64(1000) {
		load.Source.Request(n, &r)
	}
}

// A recording is the same after it was written and read.
func TestRecordingRoundTrip(t *testing.T) {
	s, _, err := scenario.FromAccessLog(accessLog(t, aDayInTheShop()))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := s.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	got, err := scenario.Parse("s.yaml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
}

// What was recorded comes back: the requests of the scenario are those of the log, in about the same proportions.
func TestRecordedMixComesBack(t *testing.T) {
	value := rapid.OneOf(rapid.StringMatching(`[1-9]`), rapid.StringMatching(`[a-c /?&=+%$\{}#.,ü"\\\n-]{0,6}`))
	rapid.Check(t, func(rt *rapid.T) {
		var log []telemetry.Access
		sent := map[string]float64{}
		for i := range rapid.IntRange(1, 30).Draw(rt, "requests") {
			r := telemetry.Access{Time: noon(float64(i)), Method: "GET", Status: 200, Path: "/" + url.PathEscape(value.Draw(rt, "path"))}
			for _, prefix := range rapid.SliceOfN(rapid.SampledFrom([]string{"a=eq.", "a=not.in.", "b=", "b=is.", "select=", "x%20y="}), 0, 3).Draw(rt, "query") {
				r.Query += prefix + url.QueryEscape(value.Draw(rt, "value")) + "&"
			}
			r.Query = strings.TrimSuffix(r.Query, "&")
			for range rapid.SampledFrom([]int{1, 1, 5, 50}).Draw(rt, "times") {
				log = append(log, r)
				sent[meaning(rt, r.Path+"?"+r.Query)]++
			}
		}
		s, summary, err := scenario.FromAccessLog(accessLog(rt, log))
		if err != nil {
			rt.Fatal(err)
		}
		compareMix(rt, replayed(t, s, summary), sent)
	})
}

// replayed loads a recording that was saved.
func replayed(t testing.TB, s *scenario.Scenario, summary scenario.Summary) loadtest.Load {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := s.Save(path, summary.Files); err != nil {
		t.Fatal(err)
	}
	saved, err := scenario.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	load, err := saved.Load(filepath.Dir(path), environment)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

// meaning is the same for requests that differ in how they are percent-encoded.
func meaning(t rapid.TB, target string) string {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q %q", u.Path, query)
}

// compareMix draws requests of a load and compares how often each comes with how often it was sent.
func compareMix(t rapid.TB, load loadtest.Load, sent map[string]float64) {
	t.Helper()
	total := 0.0
	for _, n := range sent {
		total += n
	}
	const draws = 5000
	got := map[string]float64{}
	var r loadtest.Request
	for n := range uint64(draws) {
		load.Source.Request(n, &r)
		got[meaning(t, string(r.Path))]++
	}
	var counts, expected []float64
	for _, m := range slices.Sorted(maps.Keys(sent)) {
		counts, expected = append(counts, got[m]), append(expected, draws*sent[m]/total)
		delete(got, m)
	}
	for m := range got {
		t.Errorf("%s was never sent", m)
	}
	fits(t, pooled(counts, expected), pooled(expected, expected))
}

// secrets are of all sorts that are to be found.
func secrets() []string {
	return []string{
		"eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoid2ViX3VzZXIifQ.c2lnbmF0dXJl", "zoe.smith@mail.test", "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "Bearer abc123",
	}
}

// No secret is in what is recorded, wherever in a request it was.
func TestNoSecretIsRecorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SampledFrom(secrets()).Draw(t, "secret")
		encoded := url.QueryEscape(secret)
		if rapid.Bool().Draw(t, "twice") {
			encoded = url.QueryEscape(encoded)
		}
		short := rapid.StringMatching(`[a-z]{3}[0-9]{3}`).Draw(t, "short") // only its name tells
		request := telemetry.Access{Time: noon(0), Method: "GET", Path: "/orders", Query: "id=eq.1", Status: 200}
		switch rapid.IntRange(0, 7).Draw(t, "where") {
		case 0:
			request.Path = "/orders/" + encoded + "/lines"
		case 1:
			request.Query = "a=eq." + encoded
		case 2:
			request.Query = "select=*&" + rapid.SampledFrom([]string{"access_token", "Password", "client-secret", "x[apiKey]", "pin", "sessionId"}).Draw(t, "name") + "=" + short
		case 3:
			request.Query = "or=(id.eq.1,password.eq." + short + ")"
		case 4:
			request.Query = "order=" + encoded
		case 5:
			request.Query = encoded + "=1&x"
		case 6:
			request.Query = encoded
		case 7:
			request.Role = encoded
		}
		log := accessLog(t, []telemetry.Access{request, {Time: noon(1), Method: "GET", Path: "/", Status: 200}})
		log.WriteString(`{"msg":"request","path":"` + secret + "\n")
		s, summary, err := scenario.FromAccessLog(log)
		if err != nil {
			t.Fatal(err)
		}
		all := written(t, s, summary)
		for _, secret := range []string{secret, encoded, short} {
			if strings.Contains(all, secret) {
				t.Errorf("%s is in the recording:\n%s", secret, all)
			}
		}
	})
}

// written is all that is left of a recording.
func written(t rapid.TB, s *scenario.Scenario, summary scenario.Summary) string {
	t.Helper()
	var b strings.Builder
	if err := s.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	for _, f := range summary.Files {
		b.WriteString(f.Name + f.Text)
	}
	return b.String() + summary.String()
}

func TestRecordingsOfNothing(t *testing.T) {
	for _, log := range []string{"", "\n", "hello s3cret\n", `{"msg":"request","time":"2026-11-20T12:00:00Z","method":"POST","path":"/s3cret"}`} {
		if _, _, err := scenario.FromAccessLog(strings.NewReader(log)); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("log %q: %v", log, err)
		}
	}
	for _, archive := range []string{"", "{}", "[", `{"log":{"entries":[{"request":{"url":"data:s3cret"}}]}}`, `{"log":{"entries":"s3cret"}}`} {
		if _, _, err := scenario.FromHAR(strings.NewReader(archive)); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("archive %q: %v", archive, err)
		}
	}
}

// Of many values the most frequent ones are kept, and it is said how many are not.
func TestManyValues(t *testing.T) {
	var all []telemetry.Access
	for i := range 3000 {
		id := i
		if i >= 1500 {
			id = i % 500
		}
		all = append(all, telemetry.Access{Time: noon(float64(i) / 100), Method: "GET", Path: "/orders", Query: fmt.Sprintf("id=eq.%d", id), Status: 200})
	}
	s, summary, err := scenario.FromAccessLog(accessLog(t, all))
	if err != nil {
		t.Fatal(err)
	}
	if len(summary.Cut) != 1 || summary.Cut[0].Left != 500 || summary.Cut[0].All != 3000 || !slices.Equal(summary.Cut[0].Variables, []string{"orders_id"}) {
		t.Errorf("cut: %+v", summary.Cut)
	}
	if len(summary.Files) != 1 || strings.Count(summary.Files[0].Text, "\n") != 1001 || !strings.HasPrefix(summary.Files[0].Text, "orders_id,count\n0,4\n") {
		t.Errorf("files: %.100v", summary.Files)
	}
	want := []scenario.Variable{{Name: "orders_id", From: scenario.File{Path: "orders_id.csv", Column: "orders_id", Weights: "count"}}}
	if diff := cmp.Diff(want, s.Variables); diff != "" {
		t.Error(diff)
	}
	if len(s.Requests) != 1 || s.Requests[0].Weight != 3000 {
		t.Errorf("requests: %+v", s.Requests)
	}
}

// Rates that do not change are one phase, whatever chance does; those that do are found.
func TestPhases(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	var all []telemetry.Access
	at := 0.0
	for _, part := range []struct{ seconds, rate float64 }{{60, 20}, {10, 200}, {30, 0}, {60, 40}} {
		end := at + part.seconds
		if part.rate == 0 {
			at = end
			continue
		}
		for at += random.ExpFloat64() / part.rate; at < end; at += random.ExpFloat64() / part.rate {
			all = append(all, telemetry.Access{Time: noon(at), Method: "GET", Path: "/", Status: 200})
		}
		at = end
	}
	s, summary, err := scenario.FromAccessLog(accessLog(t, all))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	sent := 0.0
	for _, p := range s.Phases {
		got = append(got, fmt.Sprintf("%s: %s at %v", p.Name, p.Duration, p.From))
		sent += p.From * p.Duration.Seconds()
	}
	if len(s.Phases) != 4 || s.Phases[2].From > 1 || s.Phases[1].From < 180 {
		t.Errorf("phases: %q", got)
	}
	if sent < float64(len(all))-1 || sent > float64(len(all))+1 {
		t.Errorf("%.1f requests in the phases, %d recorded", sent, len(all))
	}
	if took := summary.Took.Seconds(); took < 159 || took > 161 {
		t.Errorf("took %v", took)
	}
}

func BenchmarkFromAccessLog(b *testing.B) {
	log := accessLog(b, aDayInTheShop()).Bytes()
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if _, _, err := scenario.FromAccessLog(bytes.NewReader(log)); err != nil {
			b.Fatal(err)
		}
	}
}
