package telemetry_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestOutputRotatesBySize(t *testing.T) {
	dir := t.TempDir()
	out, err := telemetry.Output{
		Path: filepath.Join(dir, "access.log"), MaxSizeMB: 1, MaxBackups: 1, Compress: true,
	}.Open()
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte("x"), 400<<10)
	for range 9 { // 3.6 MB: at least three rotations
		nextMillisecond()
		if _, err := out.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil { // waits for compression and clean-up
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var zipped int
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".gz" {
			zipped++
		}
	}
	if len(files) != 2 || zipped != 1 {
		t.Errorf("want the log and one compressed backup, got %v", files)
	}
}

// nextMillisecond keeps rotations apart: backups are named, and counted, by the millisecond.
func nextMillisecond() {
	for start := time.Now().UnixMilli(); time.Now().UnixMilli() <= start; {
		runtime.Gosched()
	}
}

func TestOutputAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	for range 2 {
		out, err := telemetry.Output{Path: path}.Open()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = out.Write([]byte("line\n"))
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(path); string(got) != "line\nline\n" {
		t.Errorf("got %q", got)
	}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	if _, err := (telemetry.Output{Path: filepath.Join(t.TempDir(), "no", "such", "dir")}).Open(); err == nil {
		t.Error("no error")
	}
}

func TestOutputLeavesStandardStreamsOpen(t *testing.T) {
	for _, path := range []string{"", "stderr", "stdout"} {
		out, err := telemetry.Output{Path: path}.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Stderr.WriteString(""); err != nil {
		t.Errorf("stderr is closed: %v", err)
	}
}
