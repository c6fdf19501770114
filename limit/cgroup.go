package limit

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Cgroup is where the kernel tells what memory a group of processes takes and may take: a directory of a cgroup v2, or of
// the memory controller of v1 (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files).
type Cgroup struct {
	dir                            string
	limitFile, usedFile, cacheName string
}

// errNoCgroup is returned where nothing bounds the memory of this process.
var errNoCgroup = errors.New("no cgroup limits the memory")

// unlimitedV1 is from where on a limit of v1 is none: it says so with the largest multiple of a page.
const unlimitedV1 = math.MaxInt64 &^ (1<<20 - 1)

// FindCgroup finds the nearest cgroup of this process that limits its memory, its own or one above. The files are looked for
// under root, "/" outside of tests. The error is fs.ErrNotExist where there is none.
func FindCgroup(root string) (*Cgroup, error) {
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil, errors.Join(errNoCgroup, fs.ErrNotExist)
	}
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy, controllers, path
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[1] == "":
			if c := nearest(filepath.Join(root, "sys/fs/cgroup"), fields[2], Cgroup{limitFile: "memory.max", usedFile: "memory.current", cacheName: "inactive_file"}); c != nil {
				return c, nil
			}
		case strings.Contains(","+fields[1]+",", ",memory,"):
			if c := nearest(filepath.Join(root, "sys/fs/cgroup/memory"), fields[2],
				Cgroup{limitFile: "memory.limit_in_bytes", usedFile: "memory.usage_in_bytes", cacheName: "total_inactive_file"}); c != nil {
				return c, nil
			}
		}
	}
	return nil, errors.Join(errNoCgroup, fs.ErrNotExist)
}

// nearest looks at path below mount and at all directories above it. In a container the path may be one of the host's, which
// is not there: then the mount itself is the container's own.
func nearest(mount, path string, c Cgroup) *Cgroup {
	for at := filepath.Join("/", path); ; at = filepath.Dir(at) {
		c.dir = filepath.Join(mount, at)
		if _, err := c.Limit(); err == nil {
			return &c
		}
		if at == "/" {
			return nil
		}
	}
}

// Limit is how much memory the group may take, in bytes.
func (c *Cgroup) Limit() (int64, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, c.limitFile))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64) // "max" is no number
	if err != nil || n <= 0 || n >= unlimitedV1 {
		return 0, errNoCgroup
	}
	return n, nil
}

// Used is how much it takes, in bytes, without the pages of files that the kernel can drop at once: what Kubernetes calls
// the working set.
func (c *Cgroup) Used() (int64, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, c.usedFile))
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil {
		return 0, err
	}
	return max(used-c.droppable(), 0), nil
}

// droppable is 0 where it cannot be told.
func (c *Cgroup) droppable() int64 {
	f, err := os.Open(filepath.Join(c.dir, "memory.stat"))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), " "); name == c.cacheName {
			n, _ := strconv.ParseInt(value, 10, 64)
			return n
		}
	}
	return 0
}
