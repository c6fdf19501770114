package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// newProgress shows a bar on a terminal; elsewhere it prints a line for every tenth done.
func newProgress(out io.Writer) func(done, total int64, step string) {
	p := &progress{out: out, began: time.Now(), tenth: -1}
	if f, ok := out.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p.report
}

type progress struct {
	out      io.Writer
	terminal bool
	began    time.Time

	mu    sync.Mutex
	tenth int64
}

func (p *progress) report(done, total int64, step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total = max(total, 1)
	took := time.Since(p.began).Seconds()
	if p.terminal {
		const width = 30
		filled := int(done * width / total)
		fmt.Fprintf(p.out, "\r\033[K  [%s%s] %3d%%  %.1f s  %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled),
			done*100/total, took, step)
		if done >= total {
			fmt.Fprintln(p.out)
		}
		return
	}
	if tenth := done * 10 / total; tenth > p.tenth {
		p.tenth = tenth
		fmt.Fprintf(p.out, "  sample data %3d%%  %.1f s  %s\n", done*100/total, took, step)
	}
}
