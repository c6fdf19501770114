//go:build unix && !linux

package chaos

import (
	"os"
	"os/exec"
	"syscall"
)

// ownTree has a process lead a group of its own.
func ownTree(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// descendants outside of the group cannot be found here.
func descendants(int) []int { return nil }

// awaitZombie cannot wait without taking the process's number away.
func awaitZombie(*os.Process) bool { return false }

// awaitStill cannot tell.
func awaitStill([]int) {}
