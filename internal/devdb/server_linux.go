package devdb

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// endWithParent makes the kernel ask the server for a fast shutdown when this
// process is killed.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
}

// commandLine is the command line of a process, words separated by spaces.
func commandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(b), "\x00", " ")
}
