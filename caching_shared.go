package slipstream

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/redis"
)

// sharing is how the feeds of many instances do with few replication slots; nil without a Redis.
func (c Config) sharing(shared *redis.Client) *feed.Sharing {
	if shared == nil {
		return nil
	}
	return &feed.Sharing{Relay: shared.Relay(), Slots: c.CacheSlots, Secret: c.sharedKey("feed"), Round: time.Second}
}

// sharedKey is the secret of what instances leave for each other in Redis; each purpose has a key of its own. All instances
// have the secrets, or where there are none, the address of the Redis.
func (c Config) sharedKey(purpose string) []byte {
	secret := c.CursorSecret
	if secret == "" {
		secret = c.secretMaterial()
	}
	if secret == "" {
		secret = c.RedisURL
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "slipstream shared "+purpose+" v1", sha256.Size)
	if err != nil {
		panic(err) // only an impossible length is an error
	}
	return key
}

// followable leaves out the problems of those who have no leader, where there may be one.
func (c Config) followable(problems []feed.Problem) []feed.Problem {
	if c.RedisURL == "" {
		return problems
	}
	return slices.DeleteFunc(problems, feed.Problem.OfSlot)
}

// describeFeed says how the log is followed; empty while it is not.
func describeFeed(st feed.Status) string {
	switch {
	case st.State != feed.Live, st.Slot == "" && st.Leader == "": // in the mode notify there is none
		return ""
	case st.Leader != "":
		return "follows " + st.Leader
	case st.Followers > 0:
		return fmt.Sprintf("leads for %d by its slot %s", st.Followers, st.Slot)
	}
	return "by its own slot " + st.Slot
}
