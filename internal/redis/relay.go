package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Relay keeps the places of instances that share replication slots, and carries the stream of the one that leads: see
// package feed. It uses Redis 6.2 and later.
type Relay struct {
	client *Client
	attend *rueidis.Lua
	leave  *rueidis.Lua
}

// Of each group, the keys are: members with a place and those that follow, each by the time when its lease ends (of the
// server's clock, in ms), and the leader's stream.
const (
	attendScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local seats, leads, follows = KEYS[1], KEYS[2], KEYS[3]
local member, slots, lead, last, lease = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', seats, '-inf', now)
redis.call('ZREMRANGEBYSCORE', follows, '-inf', now)
local seated = slots > 0 and (redis.call('ZSCORE', seats, member) or redis.call('ZCARD', seats) < slots)
local place, other = follows, seats
if seated then place, other = seats, follows end
redis.call('ZREM', other, member)
redis.call('ZADD', place, now + lease, member)
redis.call('PEXPIRE', place, lease)
local followers = redis.call('ZCARD', follows)
local leader = redis.call('GET', leads) or ''
if seated and lead ~= '' and (leader == '' or leader == lead or leader == last) then
	leader = ''
	if followers > 0 then leader = lead end
	if leader == '' then redis.call('DEL', leads) else redis.call('SET', leads, leader, 'PX', lease) end
end
return {seated and '1' or '0', leader, tostring(followers)}`

	leaveScript = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
return redis.status_reply('OK')`
)

// keepStream is how long a stream lasts after its last frame.
const keepStream = 30 * time.Second

// mostRead is how many frames are read at once.
const mostRead = 16

// Relay makes one on the client's connection, which is not kept from a server that is slow: these calls wait.
func (c *Client) Relay() *Relay {
	return &Relay{client: c, attend: rueidis.NewLuaScript(attendScript), leave: rueidis.NewLuaScript(leaveScript)}
}

func groupKeys(group string) []string {
	prefix := "slipstream:feed:{" + group + "}:" // one node of a cluster has them all
	return []string{prefix + "seats", prefix + "leader", prefix + "followers"}
}

func streamKey(stream string) string { return "slipstream:feed:stream:" + stream }

// Attend implements feed.Places.
func (r *Relay) Attend(ctx context.Context, group, member string, slots int, lead, last string, lease time.Duration) (seated bool, leader string, followers int, err error) {
	conn := r.client.Conn()
	if conn == nil {
		return false, "", 0, ErrAway
	}
	args := []string{member, strconv.Itoa(slots), lead, last, strconv.FormatInt(lease.Milliseconds(), 10)}
	answer, err := r.attend.Exec(ctx, conn, groupKeys(group), args).AsStrSlice()
	if err != nil {
		return false, "", 0, err
	}
	if len(answer) != 3 {
		return false, "", 0, fmt.Errorf("redis answered %q", answer)
	}
	followers, err = strconv.Atoi(answer[2])
	return answer[0] == "1", answer[1], followers, err
}

// Leave implements feed.Places.
func (r *Relay) Leave(ctx context.Context, group, member, lead string) error {
	conn := r.client.Conn()
	if conn == nil {
		return ErrAway
	}
	return r.leave.Exec(ctx, conn, groupKeys(group), []string{member, lead}).Error()
}

// Append implements feed.Streams. The frame's number is the entry's, so that the server takes none twice.
func (r *Relay) Append(ctx context.Context, stream string, number, oldest uint64, frame []byte) error {
	conn := r.client.Conn()
	if conn == nil {
		return ErrAway
	}
	key := streamKey(stream)
	for _, answer := range conn.DoMulti(ctx,
		conn.B().Xadd().Key(key).Minid().Almost().Threshold(entry(oldest)).Id(entry(number)).FieldValue().FieldValue("f", rueidis.BinaryString(frame)).Build(),
		conn.B().Pexpire().Key(key).Milliseconds(keepStream.Milliseconds()).Build(),
	) {
		if err := answer.Error(); err != nil {
			return err
		}
	}
	return nil
}

func entry(number uint64) string { return strconv.FormatUint(number, 10) + "-0" }

// Last implements feed.Streams.
func (r *Relay) Last(ctx context.Context, stream string) ([]byte, error) {
	conn := r.client.Conn()
	if conn == nil {
		return nil, ErrAway
	}
	entries, err := conn.Do(ctx, conn.B().Xrevrange().Key(streamKey(stream)).End("+").Start("-").Count(1).Build()).AsXRange()
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return []byte(entries[0].FieldValues["f"]), nil
}

// Read implements feed.Streams.
func (r *Relay) Read(ctx context.Context, stream string, after uint64, wait time.Duration) ([][]byte, error) {
	conn := r.client.Conn()
	if conn == nil {
		return nil, ErrAway
	}
	key := streamKey(stream)
	command := conn.B().Xread().Count(mostRead).Block(wait.Milliseconds()).Streams().Key(key).Id(entry(after)).Build()
	streams, err := conn.Do(ctx, command).AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, len(streams[key]))
	for i, e := range streams[key] {
		frames[i] = []byte(e.FieldValues["f"])
	}
	return frames, nil
}
