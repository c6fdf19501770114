package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/redistest"
)

func run(t *testing.T, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func echo(c *redis.Client, text string) (string, error) {
	return c.Do(context.Background(), func(b rueidis.Builder) rueidis.Completed { return b.Echo().Message(text).Build() }).ToString()
}

func works(c *redis.Client) func() bool {
	return func() bool {
		answer, err := echo(c, "hello")
		return err == nil && answer == "hello"
	}
}

func TestAServerThatGoesAndComesBack(t *testing.T) {
	server := redistest.Start(t)
	c := run(t, server.URL())
	eventually(t, "it answers", works(c))

	fails := func() bool {
		_, err := echo(c, "hello")
		return errors.Is(err, redis.ErrAway) && c.Away()
	}
	server.Kill()
	eventually(t, "a killed server is given up", fails)
	server.Restart()
	eventually(t, "it answers again", works(c))

	server.Pause()
	eventually(t, "a paused server is given up", fails)
	server.Resume()
	eventually(t, "it answers once more", works(c))
	if c.Away() {
		t.Error("it answers, and is said to be away")
	}
}

func TestAServerThatIsNotThereAtTheStart(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	c := run(t, server.URL())
	if _, err := echo(c, "x"); !errors.Is(err, redis.ErrAway) {
		t.Errorf("without a server: %v", err)
	}
	server.Restart()
	eventually(t, "it answers", works(c))
}

func TestWhatIsNoURLIsNotRepeated(t *testing.T) {
	for _, url := range []string{"http://user:secret@host", "redis://user:secret@host:port", "redis://user:secret@host/x", "secret"} {
		_, err := redis.Open(redis.Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "redis://") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAnAnswerWithAnErrorIsNoOutage(t *testing.T) {
	c := run(t, redistest.Start(t).URL())
	eventually(t, "it answers", works(c))
	err := c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Arbitrary("NOSUCHCOMMAND").Build() }).Error()
	if _, answered := rueidis.IsRedisErr(err); !answered || c.Away() {
		t.Errorf("%v, away: %v", err, c.Away())
	}
}
