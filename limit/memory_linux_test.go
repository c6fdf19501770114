//go:build !race

// The race detector takes more memory than the limit of this test.

package limit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// TestMemoryGuardKeepsAProcessAlive runs this test's own program under a limit of the system, where it takes on work until it
// dies or the guard says to stop.
func TestMemoryGuardKeepsAProcessAlive(t *testing.T) {
	if len(os.Getenv(hoarder)) > 0 {
		hoard()
		return
	}
	for _, c := range []struct {
		guard    string
		survives bool
	}{{"on", true}, {"off", false}} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), hoarder+"="+c.guard, "GOMEMLIMIT=128MiB")
		out, err := child.CombinedOutput()
		if survived := err == nil && bytes.Contains(out, []byte("refused")); survived != c.survives {
			t.Errorf("guard %s: %v\n%.2000s", c.guard, err, out)
		}
		if !c.survives && !strings.Contains(string(out), "out of memory") {
			t.Errorf("it died of something else: %v\n%.2000s", err, out)
		}
	}
}

const hoarder = "SLIPSTREAM_TEST_HOARD"

// hoard holds a MiB more for every piece of work that it takes on, up to far more than it may take.
func hoard() {
	most := &syscall.Rlimit{Cur: 512 << 20, Max: 512 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, most); err != nil {
		panic(err)
	}
	debug.SetGCPercent(100)
	guard := limit.NewMemory(limit.MemoryOptions{Root: "/nowhere", Every: time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if os.Getenv(hoarder) == "on" {
		go guard.Run(ctx)
	}
	var held [][]byte
	for range 1000 {
		if guard.Level() >= limit.MemoryShort {
			fmt.Println("refused at", len(held), "MiB")
			return
		}
		work := make([]byte, 1<<20)
		for i := 0; i < len(work); i += 4096 {
			work[i] = 1
		}
		held = append(held, work)
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("held", len(held), "MiB")
}
