// Package cache is an exact cache: what it serves, its source could have answered at most Options.Staleness ago, whoever
// changed the source since. It keeps answers under a hard budget of bytes together with what they depend on, and drops
// those that a change makes wrong. It knows neither HTTP nor SQL; it is told the changes, in the order of their commits.
//
// # What is told to it
//
// Who makes an answer calls Cache.Fill, then reads the source, then Fill.Depend with watches on rows and a Stamp of what
// the reading had seen, then Fill.End. Who follows the source calls Cache.Apply with the changes of each transaction and
// then Cache.Applied, and sends a Heartbeat several times per Staleness: when it has come back in the same stream, all that
// was committed before it was sent has been applied, which is what hits are served on. Who writes to the source calls
// Cache.Fence between COMMIT and answer.
//
// # Why nothing wrong is stored
//
// In PostgreSQL a commit can be read from the log before it is visible, so "no change came since I began" proves nothing.
// Changes are remembered instead. Apply remembers a change and looks for entries under the lock of its table, End looks
// through what is remembered and enters the entry into the indexes under the locks of all of its tables. So either End
// meets the change or Apply meets the entry, and both keep the entry only if its stamp has seen the change.
//
// That holds while every change is remembered that a fill may not have seen. A change is forgotten when a heartbeat has
// come back, a snapshot that was known at the moment k has seen the change, and no fill is under way that began before k.
// Take a fill that ends after that. It began at b > k, or else it would have been under way; it reads at t > b. What was
// visible at k is visible at t, so it has seen the change. The argument needs no stamp, so a nil Stamp is sound too: it
// only rejects fills that a stamp would have shown to be right.
//
// A stamp is asked about a change no longer than until a heartbeat that was made after the stamp has come back: what it saw
// was committed before that, and so was applied before. Later changes are unseen without asking. Transaction ids of 32 bits
// come around, and a stamp that is asked about ids of two billion transactions later would be wrong.
//
// # Standbys
//
// The stamp of a standby's answer is the position that it had replayed before it read: one statement asks for it, and the
// next one reads, with a snapshot of its own. For a change to be forgotten, all standbys that may fill must have replayed it,
// too, when the heartbeat's snapshot was known at k: see Cache.Standbys. Each of them has a floor, and an answer whose stamp
// is below that is not used, as a standby that was restarted can fall back. When a standby begins to fill, Cache.Standbys
// is told of it first; its floor is then the position that Applied was told last, and rises with what Cache.Standbys is told.
// When it is to fill no more, it is given to no fill any more first, and left out of Cache.Standbys after that.
//
// Take a fill that begins at b, is given a standby at p > b, and a change that was forgotten before the fill ends: k <= b, as
// before. If the standby could fill at k, the change was not above what Cache.Standbys had been told of it, and so is not
// above the floor at p. If it began to fill after k, either the change was forgotten before that: then it had been applied,
// and is not above the first floor. Or it was forgotten later, by a heartbeat whose snapshot was known before Cache.Standbys
// was told: that counts only if the least position has not gone down since, so the change is not above what was told.
//
// What changes do not tell, such as a new policy, comes with Flush, CloseStoring or Open. Before these, all standbys stop to
// fill, until they have replayed what was applied when a heartbeat that was sent afterwards came back, which is their new
// floor. A fill that was given a standby before that is of an epoch that is over.
//
// Positions mean something in one history only. A standby that turns out to follow another one, or that could not be looked
// at for some time, stops to fill, and what it may have filled from another history goes with a Flush. As long as the time
// between looks may be, that can have been served.
//
// A standby may show a commit a moment before the primary does. For its answers not to be older than hits, or than the
// caller's own writes, ask Fill.Current.
//
// # Why nothing wrong is taken over from a Tier
//
// An entry of another cache of the same source has, for each watch, the Horizon of what it had seen. Fill.Load takes it over
// if it has seen one of this cache's own heartbeats that was made since the last flush, reset or purge (see date.go), and no
// change that could make it wrong has left a trace here that is beyond its horizon (see trace.go). That is looked at, and the
// entry put into the indexes, under the locks of all of its tables, as End does it; so what is applied later meets the entry.
//
// Take a change that makes it wrong and that it has not seen, of a transaction x; so x is not below the horizon. Had x been
// applied here before that heartbeat was made, then x had its id, and the end of its commit, before the heartbeat's
// transaction had: the horizon, which is beyond the heartbeat, were beyond x. So x was applied later, and left its trace, or it
// is still to come, or it never comes. It never comes if it was committed before the stream of changes began, or is of a
// table that was not told of yet; the owner opens the cache only when all such transactions are over, of which the first
// heartbeat after that is proof: their ids are lower than its own. A trace is of the greatest id, so the horizon of a snapshot
// must be its lowest: of what is above that, a snapshot may have seen the later and not the earlier one.
//
// What changes do not tell, such as the schema, rights and settings, is in the key under which an entry is shared, and whoever
// hears of a change of them flushes, so that heartbeats of before are no proof any more. A cache that has not heard yet still
// has the key of before. Ids of 64 bits are made from those of 32 by a heartbeat that is at most an hour old.
//
// The heartbeat also dates the entry: it was filled after that was sent, by this cache's own clock.
//
// # Why nothing wrong is served
//
// An entry that a change made wrong is marked as dead before Apply returns; the lease of a heartbeat is renewed after that.
// Get reads the lease first and the mark last. Fences compare what was applied in the same order.
//
// # What may be wrong for a time
//
// An entry with a limit and tags (Fill.Limit, Fill.Tag) needs nobody to tell changes: it is served until its limit, and
// is exact only as long as it has watches that are followed. What this process writes itself, Wrote tells. Such an entry may be
// asked for even after its limit: see Late.
//
// It imports no package of this module. Imported by rest, httpcache and the root package, and by Go programs: see GetOrLoad.
package cache
