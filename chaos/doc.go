// Package chaos breaks connections on purpose, to see what becomes of those who use them.
//
// A Proxy listens, forwards to an upstream, and does to the connections what its Faults say: latency, a narrow line, resets,
// black holes, half-open connections, truncated and corrupted bytes, and at messages of PostgreSQL and HTTP/1.1. In a test:
//
//	p, err := chaos.Listen("127.0.0.1:0", upstream)
//	defer p.Close()
//	err = p.Set(chaos.Fault{Cut: &chaos.Point{Before: "CommandComplete", Tag: "COMMIT"}})
//
// A Scenario has proxies, processes and a timeline of what happens to them; a Rehearsal runs it, and can be told what to do
// over HTTP meanwhile. What is random comes from a seed: the same connections meet the same faults.
//
// Nothing is touched that was not named: proxies change only what goes through them, and only processes that a Rehearsal has
// started itself are stopped or killed. The package knows nothing of Slipstream. Imported by cmd/slipstream and by tests.
package chaos
