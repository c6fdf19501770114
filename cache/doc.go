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
// What a standby had replayed before it read is the stamp of an answer: changes up to that position were seen. It has to be
// asked for by a statement before the one that reads, with a snapshot of its own. The change that a heartbeat lets go of
// must have been replayed by all standbys that may fill, too, when the heartbeat's snapshot was known at k: see
// Cache.Standbys. Each standby that may fill has a floor, and an answer with a lesser stamp must not be used: one that
// restarts can fall back. When a standby begins to fill, Cache.Standbys is told first; then the floor is the position that
// Applied was told last. From then on it is what Cache.Standbys was told of it.
//
// Take a fill that begins at b, is given a standby at p > b, and a change that was forgotten by the time that it ends. Then
// k <= b, as before. If the standby could fill at k, it was counted, so the change is not above its floor at p. If it began
// to fill between k and p, the change was forgotten before, so it had been applied, and is not above the first floor; or
// forgotten after that, by a heartbeat known before Cache.Standbys was told: such a one counts only if the position was not
// lowered since, and then the change is not above what was told. A standby that must not fill any more is first given
// to nobody, and then left out of Cache.Standbys: fills that were given it began before, and hold the changes.
//
// What changes do not tell, such as a new policy, comes with Flush, CloseStoring or Open. Before these no standby may be
// given to anybody, until it has replayed the position that was applied when a heartbeat sent afterwards came back: that is
// its new floor. Fills that were given one earlier began in an epoch that is over.
//
// Positions mean something in one history only. A standby that turns out to follow another one, or can not be looked at,
// fills no more, and then there is a Flush. Until then its answers may be of the other history, as long as it may not be
// looked at.
//
// Nothing keeps a standby's answer from being older than a hit, or than the caller's own write: ask Fill.Current.
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
