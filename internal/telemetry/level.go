package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// LevelCrit is PostgREST's level above error: what makes the server stop.
const LevelCrit = slog.LevelError + 4

// ParseLevel reads one of PostgREST's log levels: crit, error, warn, info, debug
// (https://postgrest.org/en/stable/references/configuration.html#log-level).
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "crit":
		return LevelCrit, nil
	case "error":
		return slog.LevelError, nil
	case "warn":
		return slog.LevelWarn, nil
	case "info":
		return slog.LevelInfo, nil
	case "debug":
		return slog.LevelDebug, nil
	}
	return 0, fmt.Errorf("log level %q: want crit, error, warn, info or debug", s)
}

// levelName is the reverse of ParseLevel, for levels in between too.
func levelName(l slog.Level) string {
	switch {
	case l >= LevelCrit:
		return "crit"
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	case l >= slog.LevelInfo:
		return "info"
	}
	return "debug"
}

// NewLogger returns a logger that writes one JSON object per line to w, with PostgREST's
// level names. The level may change while it runs: pass a *slog.LevelVar.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if l, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey && len(groups) == 0 {
				a.Value = slog.StringValue(levelName(l))
			}
			return a
		},
	}))
}

// StatusLevel is the level at which PostgREST logs a request: error from 500, warn from
// 400, else info.
func StatusLevel(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelError
	case status >= 400:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
