package redis

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/slipstream-go/slipstream/cache"
)

// Tier keeps cache entries in the server. It implements cache.Tier.
//
// What it stores is sealed by a secret that the instances have in common, under a key of its own for each entry: what
// somebody else has written, or moved, or cut, does not open, and nobody else can read it.
type Tier struct {
	client *Client
	secret []byte
	queue  chan parcel
	queued atomic.Int64 // bytes
	stats  struct{ sent, dropped, failed atomic.Uint64 }
}

// parcel is an entry to be stored.
type parcel struct {
	key    cache.Key
	size   int
	keep   time.Duration
	encode func() []byte
}

const (
	keyPrefix   = "slipstream:entry:"
	loadTimeout = 10 * time.Millisecond
	maxQueue    = 1 << 10
	maxQueued   = 16 << 20
	senders     = 4
)

// Tier makes a tier of the client's server. It stores nothing before Run.
func (c *Client) Tier(secret []byte) (*Tier, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "slipstream cache entries v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return &Tier{client: c, secret: key, queue: make(chan parcel, maxQueue)}, nil
}

// Run stores what it is given until ctx ends.
func (t *Tier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for range senders {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case p := <-t.queue:
					t.send(ctx, p)
				}
			}
		})
	}
}

// Load implements cache.Tier. It takes no longer than 10 ms.
func (t *Tier) Load(ctx context.Context, k cache.Key) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	sealed, err := t.client.Do(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Get().Key(name(k)).Build() }).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get an entry: %w", err)
	}
	entry, err := t.aead(k).Open(nil, nil, sealed, k[:])
	if err != nil {
		return nil, cache.ErrGarbled
	}
	return entry, nil
}

// Store implements cache.Tier. Entries that come faster than they can be sent are left out.
func (t *Tier) Store(k cache.Key, size int, keep time.Duration, encode func() []byte) {
	if t.queued.Add(int64(size)) <= maxQueued && keep >= time.Millisecond && !t.client.Away() {
		select {
		case t.queue <- parcel{k, size, keep, encode}:
			return
		default:
		}
	}
	t.queued.Add(int64(-size))
	t.stats.dropped.Add(1)
}

func (t *Tier) send(ctx context.Context, p parcel) {
	defer t.queued.Add(int64(-p.size))
	entry := p.encode()
	if entry == nil {
		return
	}
	sealed := t.aead(p.key).Seal(nil, nil, entry, p.key[:])
	err := t.client.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Set().Key(name(p.key)).Value(rueidis.BinaryString(sealed)).Px(p.keep).Build()
	}).Error()
	if err != nil {
		t.stats.failed.Add(1)
		return
	}
	t.stats.sent.Add(1)
}

// TierStats counts entries since the start.
type TierStats struct {
	Sent    uint64
	Dropped uint64 // left out: too many at a time, or the server is away
	Failed  uint64 // not stored by the server, or not in time
	Queued  int    // bytes that wait now
	Away    bool   // the server, now
}

// Stats says what became of Store.
func (t *Tier) Stats() TierStats {
	return TierStats{
		Sent: t.stats.sent.Load(), Dropped: t.stats.dropped.Load(), Failed: t.stats.failed.Load(),
		Queued: int(t.queued.Load()), Away: t.client.Away(),
	}
}

func name(k cache.Key) string { return keyPrefix + hex.EncodeToString(k[:]) }

// aead seals the entries of one key. Nonces are random; as each key has its own secret, they hardly meet.
func (t *Tier) aead(k cache.Key) cipher.AEAD {
	mac := hmac.New(sha256.New, t.secret)
	_, _ = mac.Write(k[:]) // never fails
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic("redis: a key of 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("redis: AES in GCM: " + err.Error())
	}
	return aead
}
