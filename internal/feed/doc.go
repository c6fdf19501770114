// Package feed turns what PostgreSQL tells of changes into ordered events: who changed which rows, when the schema or the
// roles changed, and up to which moment nothing is missing.
//
// In the mode WAL, a Feed holds one temporary replication slot, which ends with its connection and so never keeps the server
// from recycling its log, and decodes it with pgoutput. In the mode Notify, where that cannot be had, it listens to triggers
// that tell the tables that were written to; why that is as certain is said at the type listener. Its own heartbeats, messages
// that it sends and waits for, prove how fresh it is. It heals by itself, and says when events may have been lost. Install
// and InstallNotify prepare a database for it.
//
// # Sharing
//
// Of many feeds of one database, few have a slot (see Sharing). One of these leads: it passes on what its slot brings, as
// it comes, through a Relay, which is where they also agree on who has a slot and who leads. All others follow: they do
// everything that a feed with a slot does, with heartbeats of their own, but read the leader's stream.
//
// What a feed promises holds for one that follows, whatever the Relay and the leader do:
//
//   - It gets whole transactions, all of them, in the order of their commits, from its first frame on. Frames are numbered
//     without gaps within a stream, each stream has one writer and a name that no other ever had, and both are part of
//     how a frame is sealed, with a secret that the Relay does not know. A frame that is lost, repeated, moved or forged
//     ends the session, as a lost slot does.
//   - What it did not get was committed before it joined. It learns the stream's name from the Relay, where the leader
//     puts it after it has begun to copy, and starts behind the newest frame that is there. So what is not in the frames
//     that follow was decoded, and therefore had its transaction id, before the session reads its first catalog. Live
//     waits until all transactions with such ids are visible, as it does for what was committed before a slot: then no
//     answer can lack what will not be told.
//   - Its heartbeats come back through the leader's slot and the Relay, behind all that was committed before they were
//     sent. While anything on the way is slow or gone, none come, and nothing is taken for fresh. That a leader has lost
//     its place and not noticed, or that two lead at once, makes no difference: each has its own stream.
//
// It knows nothing of caches or of subscribers. Imported by check, events, the root package and cmd/slipstream.
package feed
