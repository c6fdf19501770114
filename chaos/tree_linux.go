package chaos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownTree has a process lead a group of its own, which the kernel kills when this process ends.
func ownTree(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitZombie waits until a process has ended, and leaves its number with it.
func awaitZombie(p *os.Process) bool {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// descendants are the processes that one has started, and those that these have, the nearest first. They may be in other groups:
// each of PostgreSQL's processes leads its own.
func descendants(pid int) []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc") // without it there are none to be found
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if _, parent, ok := stat(filepath.Join("/proc", e.Name())); ok {
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for next := children[pid]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all
}

// stat is the state of a process or thread, and its parent (proc_pid_stat(5)); not ok when it is gone.
func stat(dir string) (state string, parent int, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", 0, false
	}
	// The name before the state is in parentheses, and may have some in it.
	_, err = fmt.Sscan(string(b[bytes.LastIndexByte(b, ')')+1:]), &state, &parent)
	return state, parent, err == nil
}

// awaitStill waits until no thread of the processes runs: the signal only asks them to stand still. One that waits for a disk
// cannot yet; it is not waited for longer than a second.
func awaitStill(pids []int) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		running := false
		for _, pid := range pids {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // none when it is gone
			for _, thread := range threads {
				state, _, ok := stat(thread)
				running = running || ok && state != "T" && state != "t" && state != "Z" && state != "X"
			}
		}
		if !running {
			return
		}
	}
}
