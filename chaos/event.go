package chaos

import (
	"context"
	"log/slog"
	"time"
)

// Action is what an Event tells of.
type Action string

// Actions.
const (
	Begun    Action = "begun"    // a fault is in force
	Ended    Action = "ended"    // it is not any more
	Injected Action = "injected" // a connection has met it
	Failed   Action = "failed"   // something is not as a fault needs it, or the upstream cannot be reached
	Started  Action = "started"  // a process runs and is ready
	Killed   Action = "killed"
	Stopped  Action = "stopped"
	Resumed  Action = "resumed"
	Exited   Action = "exited" // a process has ended by itself
)

// Event is something that was done, or has happened.
type Event struct {
	Time   time.Time `json:"time"`
	Action Action    `json:"action"`
	// Proxy or Process is the name of what it has happened to.
	Proxy   string `json:"proxy,omitempty"`
	Process string `json:"process,omitempty"`
	// Fault is the fault's name.
	Fault string `json:"fault,omitempty"`
	// Connection is its number, from 1, and Client where it comes from.
	Connection uint64 `json:"connection,omitempty"`
	Client     string `json:"client,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// log writes an event: what is done to each connection is for debugging, the rest for everybody.
func (e *Event) log(l *slog.Logger) {
	level := slog.LevelInfo
	switch e.Action {
	case Injected:
		level = slog.LevelDebug
	case Failed, Exited:
		level = slog.LevelWarn
	}
	var attributes []slog.Attr
	for _, a := range []slog.Attr{
		slog.String("proxy", e.Proxy), slog.String("process", e.Process), slog.String("fault", e.Fault),
		slog.Uint64("connection", e.Connection), slog.String("client", e.Client), slog.String("detail", e.Detail),
	} {
		if a.Value.String() != "" && a.Value.String() != "0" {
			attributes = append(attributes, a)
		}
	}
	l.LogAttrs(context.Background(), level, string(e.Action), attributes...)
}
