// Package redis is the connection to a Redis or Valkey that several instances share. Nothing depends on it: while the
// server is away or slow, calls fail at once and whoever made them goes on alone.
//
// It imports cache and limit, whose Tier and Shared it implements, and is the only package that speaks to the server. Imported by the root package.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Options of a Client. URL is required; zero fields have the defaults.
type Options struct {
	// URL is redis://[user[:password]@]host[:port][/db], rediss:// for TLS, valkey:// or valkeys://, or unix:///path?db=0;
	// further nodes of a cluster or sentinels as ?addr=host:port, and ?master_set=name for Sentinel.
	URL string
	// Timeout is how long a call of Do may take. 20 ms.
	Timeout time.Duration
	// Logger is told when the server goes away and comes back; nobody when nil.
	Logger *slog.Logger
}

// ErrAway is what calls end with while the server does not answer.
var ErrAway = errors.New("redis is away")

// The pauses after failures, which double. In them nothing is sent.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Client is safe for concurrent use.
type Client struct {
	options Options
	config  rueidis.ClientOption
	conn    atomic.Pointer[rueidis.Client]
	breaker breaker
}

// Open checks the options. It connects to nothing and starts nothing: Run does.
func Open(o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	config, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("not a URL of Redis: use redis://[user:password@]host[:port][/db], or rediss:// for TLS") // err may have the password
	}
	const dial, silence = time.Second, 2 * time.Second
	config.Dialer.Timeout, config.ConnWriteTimeout = dial, silence
	config.DisableRetry, config.DisableCache = true, true
	config.ClientName = "slipstream"
	// Half a MiB each for reading and writing is more than most of what is here.
	const buffer = 64 << 10
	config.ReadBufferEachConn, config.WriteBufferEachConn = buffer, buffer
	config.PipelineMultiplex = 1
	return &Client{options: o, config: config}, nil
}

// Run connects, for as long as it takes, and returns when ctx is done and the connections are closed.
func (c *Client) Run(ctx context.Context) error {
	pause, told := firstPause, false
	for {
		conn, err := rueidis.NewClient(c.config)
		if err == nil {
			c.conn.Store(&conn)
			<-ctx.Done()
			c.conn.Store(nil)
			conn.Close()
			return nil
		}
		if !told && ctx.Err() == nil {
			c.options.Logger.Warn("redis is away", "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// Do sends a command and waits no longer than Options.Timeout. It fails with ErrAway, at once, when calls have failed lately.
// Of the errors that the server answers, see rueidis.IsRedisErr, none means that.
func (c *Client) Do(ctx context.Context, command func(rueidis.Builder) rueidis.Completed) rueidis.RedisResult {
	return c.call(ctx, c.options.Timeout, func(ctx context.Context, conn rueidis.Client) rueidis.RedisResult {
		return conn.Do(ctx, command(conn.B()))
	})
}

// call is Do of anything, with a timeout of its own.
func (c *Client) call(ctx context.Context, timeout time.Duration, do func(context.Context, rueidis.Client) rueidis.RedisResult) rueidis.RedisResult {
	conn := c.conn.Load()
	if conn == nil || !c.breaker.allows(time.Now()) {
		return rueidis.NewErrorResult(ErrAway)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result := do(ctx, *conn)
	c.note(ctx, result.NonRedisError())
	return result
}

// note has the breaker learn how a call ended.
func (c *Client) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		if c.breaker.worked() {
			c.options.Logger.Info("redis is back")
		}
	case errors.Is(context.Cause(ctx), context.Canceled): // the caller has left
		c.breaker.released()
	case c.breaker.failed(time.Now()):
		c.options.Logger.Warn("redis is away", "error", err)
	}
}

// Conn is the connection for what takes longer than a call of Do, such as reading a stream; nil until there is one.
func (c *Client) Conn() rueidis.Client {
	if conn := c.conn.Load(); conn != nil {
		return *conn
	}
	return nil
}

// Away reports whether calls fail now.
func (c *Client) Away() bool { return c.conn.Load() == nil || c.breaker.open() }
