package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
)

// A server whose answers break off, and later come in full.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello, all of you!") }))
	defer server.Close()

	p, err := chaos.Listen("127.0.0.1:0", server.Listener.Addr().String(), chaos.Fault{HTTP: &chaos.HTTP{Cut: 5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	for range 2 {
		answer, err := http.Get("http://" + p.Addr())
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Println(string(body), errors.Is(err, io.ErrUnexpectedEOF))
		_ = p.Set() // no fault any more
	}
	fmt.Println(p.Counts())
	// Output:
	// Hello true
	// Hello, all of you! false
	// map[http:1]
}

// Messages of PostgreSQL are points at which something can happen: here a COMMIT takes effect, and nobody is told.
func ExamplePoint() {
	fmt.Println(chaos.Fault{Reset: &chaos.Point{Before: "CommandComplete", Tag: "COMMIT"}, Probability: 0.05})
	// Output: probability: 5%, reset: {before: CommandComplete, tag: COMMIT}
}

func ExampleParseFault() {
	f, err := chaos.ParseFault("latency: 50ms±20ms, at: 10s, for: 5s")
	fmt.Println(f.Latency.Jitter, f.For, err)
	_, err = chaos.ParseFault("latency: slow")
	fmt.Println(err)
	// Output:
	// 20ms 5s <nil>
	// fault:1:11: "slow" is no duration; write one such as 50ms or 2s
}

func ExampleScenario() {
	s, err := chaos.Parse("scenario.yaml", []byte(`
proxies:
  replica-2: {listen: 127.0.0.1:6432, upstream: 127.0.0.1:5432}
timeline:
  - {at: 10s, for: 5s, proxy: replica-2, blackhole: true}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Timeline[0].At, s.Timeline[0].Proxy, s.Timeline[0].For == 5*time.Second)
	// Output: 10s replica-2 true
}
