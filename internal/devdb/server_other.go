//go:build !linux

package devdb

import (
	"os/exec"
	"strconv"
	"strings"
)

// endWithParent does nothing where the kernel has no such service: the next
// Start on the directory stops the server that was left behind.
func endWithParent(*exec.Cmd) {}

// commandLine is the command line of a process, words separated by spaces.
func commandLine(pid int) string {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out)) + " "
}
