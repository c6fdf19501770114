// Package replicas has reads answered by streaming standbys of the primary, any number of them.
//
// Each is looked at four times a second, by a connection of its own. A read goes to one that is a standby of the primary's
// present history, not further behind than is allowed, and has replayed what the reader must see; among these, to the one
// that is expected to answer first. What goes wrong there for a reason of the server's is done again elsewhere, in the end on
// the primary, as long as nothing of the answer was given on.
//
// How far a replica is behind is told by positions in the log, not by the times of its last transactions, which say nothing
// while nobody writes: it is as of the latest moment at which the primary's position was one that it has replayed by now.
//
// It knows neither HTTP nor what is read. Whether a standby may fill the cache, which asks for more, the root package decides;
// it is told of the looks. Imported by the root package.
package replicas
