package redis

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/slipstream-go/slipstream/limit"
)

// Limits has what keys owe to the instances that share the server and a secret. It implements limit.Shared.
//
// One script decides on all charges of a request, so all of its keys are on one node of a cluster: their names have the same
// hash tag. Names tell nothing of whom they are about. The clock is the server's. A debt ends by itself, and its key with it.
type Limits struct {
	client         *Client
	secret         []byte
	prefix, member string
	timeout        time.Duration
	decide, beat   *rueidis.Lua
	census         census
}

// Keys hold the time when nothing will be owed, in microseconds. What the server has lost, or somebody has written there, is
// at least what the instance knows and at most the ceiling. The answer is what was owed before: the instance judges by it as the
// script has done.
const (
	decideScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local stored, debts, admitted = {}, {}, true
for i, key in ipairs(KEYS) do
	local ceiling, price, known = tonumber(ARGV[4*i-3]), tonumber(ARGV[4*i-2]), tonumber(ARGV[4*i-1])
	stored[i] = math.min(math.max((tonumber(redis.call('GET', key)) or 0) - now, 0), ceiling)
	debts[i] = math.max(stored[i], known)
	if debts[i] + price > ceiling and ARGV[4*i] == '0' then admitted = false end
end
for i, key in ipairs(KEYS) do
	local ceiling, price = tonumber(ARGV[4*i-3]), tonumber(ARGV[4*i-2])
	local debt = debts[i]
	if admitted and debt + price <= ceiling then debt = debt + price end
	if debt > stored[i] then
		redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
	end
end
return debts`

	// The set has all instances by the time when they are taken for dead.
	beatScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`
)

// Instances say once in a round that they are there, and are taken for dead after the lease.
const (
	round = time.Second
	lease = 10 * time.Second
)

// Limits makes one. Its calls take no longer than timeout.
func (c *Client) Limits(secret []byte, timeout time.Duration) (*Limits, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "slipstream limits v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	l := &Limits{
		client: c, secret: key, member: rand.Text(), timeout: timeout,
		decide: rueidis.NewLuaScript(decideScript), beat: rueidis.NewLuaScript(beatScript),
	}
	l.prefix = "slipstream:limits:{" + l.digest("", nil) + "}:"
	return l, nil
}

// digest is 16 bytes of what nobody without the secret can make, or undo.
func (l *Limits) digest(meter string, key []byte) string {
	mac := hmac.New(sha256.New, l.secret)
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(meter)))
	for _, part := range [][]byte{length[:], []byte(meter), key} {
		_, _ = mac.Write(part) // never fails
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// Take implements limit.Shared. It fails with ErrAway, at once, when calls have failed lately.
func (l *Limits) Take(ctx context.Context, charges []limit.Owed) error {
	keys, args := make([]string, len(charges)), make([]string, 0, 4*len(charges))
	for i := range charges {
		c := &charges[i]
		keys[i] = l.prefix + l.digest(c.Meter, c.Key[:])
		dry := "0"
		if c.DryRun {
			dry = "1"
		}
		args = append(args, strconv.FormatInt(c.Ceiling, 10), strconv.FormatInt(c.Price, 10), strconv.FormatInt(c.Debt, 10), dry)
	}
	debts, err := l.run(ctx, l.decide, keys, args).AsIntSlice()
	switch {
	case err != nil:
		return fmt.Errorf("decide on limits: %w", err)
	case len(debts) != len(charges):
		return fmt.Errorf("decide on limits: redis answered %d numbers for %d", len(debts), len(charges))
	}
	for i := range charges {
		charges[i].Debt = debts[i]
	}
	return nil
}

func (l *Limits) run(ctx context.Context, script *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	return l.client.call(ctx, l.timeout, func(ctx context.Context, conn rueidis.Client) rueidis.RedisResult {
		return script.Exec(ctx, conn, keys, args)
	})
}

// Instances implements limit.Shared.
func (l *Limits) Instances() int { return max(1, int(l.census.count.Load())) }

// Run says that this instance is there, while active reports true, until ctx is done; then that it leaves. By its calls it is
// also found out that the server is back, when nobody asks for anything.
func (l *Limits) Run(ctx context.Context, active func() bool) {
	instances := []string{l.prefix + "instances"}
	tick := time.NewTicker(round)
	defer tick.Stop()
	for {
		if active() {
			n, err := l.run(ctx, l.beat, instances, []string{l.member, strconv.FormatInt(lease.Milliseconds(), 10)}).AsInt64()
			if err == nil {
				l.census.heard(n, time.Now())
			}
		}
		select {
		case <-ctx.Done():
			l.leave(context.WithoutCancel(ctx), instances[0])
			return
		case <-tick.C:
		}
	}
}

// leave is for those who stay: without it they share with this instance until its lease ends.
func (l *Limits) leave(ctx context.Context, instances string) {
	_ = l.client.call(ctx, l.timeout, func(ctx context.Context, conn rueidis.Client) rueidis.RedisResult {
		return conn.Do(ctx, conn.B().Zrem().Key(instances).Member(l.member).Build())
	}).Error() // who does not hear it, finds out
}

// census is how many instances there are. It belongs to the goroutine of Run, but for count.
type census struct {
	count atomic.Int64
	fewer time.Time // since when there seem to be; zero while there do not
}

// heard takes more at once, and fewer only when that lasts: a server that has lost everything knows of nobody at first.
func (c *census) heard(n int64, now time.Time) {
	switch {
	case n >= c.count.Load():
		c.count.Store(n)
		c.fewer = time.Time{}
	case c.fewer.IsZero():
		c.fewer = now
	case now.Sub(c.fewer) >= lease:
		c.count.Store(n)
		c.fewer = time.Time{}
	}
}
