// Package writetoken makes the tokens by which a client carries its last write to other instances: a place in the
// database's log, signed. Who gets one along with a read answers from a state that has reached that place. It does not know
// who has: that is for those who keep answers or choose a server. Imported by the root package.
package writetoken
