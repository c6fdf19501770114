package slipstream

import "github.com/slipstream-go/slipstream/internal/pg"

// switched empties the cache and keeps it closed until the feed follows the new primary: what was told by the one before says
// nothing of what is written now. No statement has run on the new one yet, and none runs on the other any more.
func (k *caching) switched(p pg.Primary) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timeline = p.Timeline
	if k.followsPrimary() { // it was the feed that has met it, and it has not begun yet
		return
	}
	const reason = "the database has another primary"
	k.live, k.problem = false, reason
	clear(k.beats)
	k.published.Store(nil)
	k.followed.Store(nil)
	k.standbys.hold(forever)
	k.cache.Reset(reason)
	k.feed.Restart()
}

// followsPrimary reports whether the feed's server has the history of the primary, as far as both are known. It is for those
// who hold mu.
func (k *caching) followsPrimary() bool {
	now := k.feed.Status().Timeline
	return k.timeline == 0 || now == 0 || now == k.timeline
}
