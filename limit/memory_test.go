package limit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// machine is a root with the files of a cgroup.
type machine struct{ root, dir string }

func newMachine(t *testing.T, own, dir string) machine {
	t.Helper()
	m := machine{root: t.TempDir()}
	m.dir = filepath.Join(m.root, "sys/fs/cgroup", dir)
	m.write(t, filepath.Join(m.root, "proc/self/cgroup"), own)
	return m
}

func (m machine) write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// use has v2's files say what is used of 1000 bytes, with 100 more that can be dropped.
func (m machine) use(t *testing.T, bytes int) {
	t.Helper()
	m.write(t, filepath.Join(m.dir, "memory.max"), "1000\n")
	m.write(t, filepath.Join(m.dir, "memory.stat"), "anon 1\nactive_file 7\ninactive_file 100\n")
	m.write(t, filepath.Join(m.dir, "memory.current"), fmt.Sprintln(bytes+100))
}

func TestCgroups(t *testing.T) {
	v1 := func(t *testing.T, m machine, limit string) {
		m.write(t, filepath.Join(m.dir, "memory.limit_in_bytes"), limit)
		m.write(t, filepath.Join(m.dir, "memory.usage_in_bytes"), "700\n")
		m.write(t, filepath.Join(m.dir, "memory.stat"), "inactive_file 1\ntotal_inactive_file 200\n")
	}
	v2 := func(t *testing.T, m machine, _ string) { m.use(t, 500) }
	for _, c := range []struct {
		name, own, dir string
		fill           func(*testing.T, machine, string)
		max            string
		limit, used    int64
	}{
		{"v2 of its own", "0::/app\n", "app", v2, "", 1000, 500},
		{"v2 in a container", "0::/\n", ".", v2, "", 1000, 500},
		{"v2 above", "0::/slice/app\n", "slice", v2, "", 1000, 500},
		{"v2 of the host's path", "0::/../host/path\n", ".", v2, "", 1000, 500},
		{"v1", "9:cpu,cpuacct:/x\n4:memory:/app\n0::/\n", "memory/app", v1, "1000\n", 1000, 500},
		{"v1 without a limit", "4:memory:/app\n", "memory/app", v1, "9223372036854771712\n", 0, 0},
		{"nothing", "", ".", v2, "", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, c.own, c.dir)
			c.fill(t, m, c.max)
			group, err := limit.FindCgroup(m.root)
			if c.limit == 0 {
				if err == nil {
					t.Error("a cgroup was found")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			most, _ := group.Limit()
			used, _ := group.Used()
			if most != c.limit || used != c.used {
				t.Errorf("%d of %d, want %d of %d", used, most, c.used, c.limit)
			}
		})
	}
}

func TestMemoryLevels(t *testing.T) {
	m := newMachine(t, "0::/app\n", "app")
	m.use(t, 0)
	synctest.Test(t, func(t *testing.T) {
		var relieved, freed atomic.Int64
		guard := limit.NewMemory(limit.MemoryOptions{
			Root: m.root, Relieve: func() { relieved.Add(1) }, Free: func() { freed.Add(1) },
		})
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go guard.Run(ctx)
		for _, c := range []struct {
			used int
			want limit.MemoryLevel
		}{
			{919, limit.MemoryFine},
			{920, limit.MemoryTight},
			{949, limit.MemoryTight},
			{950, limit.MemoryShort},
			{931, limit.MemoryShort}, // it ends two hundredths below where it began
			{929, limit.MemoryTight},
			{1200, limit.MemoryCritical},
			{951, limit.MemoryCritical},
			{949, limit.MemoryShort},
			{901, limit.MemoryTight},
			{899, limit.MemoryFine},
		} {
			m.use(t, c.used)
			time.Sleep(150 * time.Millisecond) // virtual
			synctest.Wait()
			if got := guard.Level(); got != c.want {
				t.Errorf("%d of 1000 bytes: %v, want %v", c.used, got, c.want)
			}
		}
		if relieved.Load() == 0 || freed.Load() != 1 {
			t.Errorf("relieved %d times, freed %d times in 1.35 s", relieved.Load(), freed.Load())
		}
		m.use(t, 990)
		time.Sleep(time.Minute)
		synctest.Wait()
		if r, f := relieved.Load(), freed.Load(); r < 50 || r > 70 || f < 6 || f > 8 {
			t.Errorf("relieved %d times, freed %d times in a minute", r, f)
		}
	})
}

func TestNilMemoryIsFine(t *testing.T) {
	var m *limit.Memory
	if m.Level() != limit.MemoryFine {
		t.Error(m.Level())
	}
}
