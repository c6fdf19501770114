package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestLevelsFilterAndAreNamedAsPostgREST(t *testing.T) {
	names := []string{"debug", "info", "warn", "error", "crit"}
	for at, name := range names {
		level, err := telemetry.ParseLevel(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log := telemetry.NewLogger(&out, level)
		for _, n := range names {
			l, _ := telemetry.ParseLevel(n)
			log.Log(t.Context(), l, "m", slog.String("level", "an attribute of the same name"))
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.Split(line, `"`)[7])
		}
		if strings.Join(got, " ") != strings.Join(names[at:], " ") {
			t.Errorf("at %s: got %v", name, got)
		}
	}
	if _, err := telemetry.ParseLevel("INFO"); err == nil {
		t.Error("INFO is no level of PostgREST's")
	}
}

func TestLevelChangesWhileRunning(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	log := telemetry.NewLogger(&out, &level)
	log.Debug("hidden")
	level.Set(slog.LevelDebug)
	log.Debug("shown", slog.Int("n", 1))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if line["msg"] != "shown" || line["level"] != "debug" || line["n"] != 1.0 {
		t.Errorf("got %v", line)
	}
}

func TestStatusLevel(t *testing.T) {
	for status, want := range map[int]slog.Level{
		200: slog.LevelInfo, 304: slog.LevelInfo, 400: slog.LevelWarn, 499: slog.LevelWarn,
		500: slog.LevelError, 504: slog.LevelError,
	} {
		if got := telemetry.StatusLevel(status); got != want {
			t.Errorf("StatusLevel(%d) = %s, want %s", status, got, want)
		}
	}
}
