package telemetry

import (
	"fmt"
	"io"
	"os"

	"github.com/DeRuina/timberjack"
)

// Output says where a log goes.
type Output struct {
	// Path is "stdout", "stderr", or a file that is appended to. Default "stderr".
	Path string
	// MaxSizeMB is the size in MiB at which a file is rotated. Default 100.
	MaxSizeMB int
	// MaxAgeDays is how long rotated files are kept, in days. Default 0: for ever.
	MaxAgeDays int
	// MaxBackups is how many rotated files are kept. Default 0: all.
	MaxBackups int
	// Compress gzips rotated files.
	Compress bool
}

// Open returns the log's writer. A file that cannot be written is an error now, not at the
// first line. Closing leaves stdout and stderr open.
func (o Output) Open() (io.WriteCloser, error) {
	switch o.Path {
	case "", "stderr":
		return keepOpen{os.Stderr}, nil
	case "stdout":
		return keepOpen{os.Stdout}, nil
	}
	f, err := os.OpenFile(o.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	compression := "none"
	if o.Compress {
		compression = "gzip"
	}
	return &timberjack.Logger{
		Filename:    o.Path,
		MaxSize:     o.MaxSizeMB,
		MaxAge:      o.MaxAgeDays,
		MaxBackups:  o.MaxBackups,
		Compression: compression,
	}, nil
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
