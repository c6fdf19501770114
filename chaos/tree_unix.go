//go:build unix

package chaos

import (
	"os"
	"syscall"
)

// signalTree sends a signal to a process, to its group, and to all that it has started.
func signalTree(p *os.Process, s syscall.Signal) error {
	below := descendants(p.Pid)
	err := syscall.Kill(-p.Pid, s)
	for _, pid := range below {
		_ = syscall.Kill(pid, s) // those of the group have it already, and may be gone
	}
	return err
}

// killTree ends a process and all that it has started. They stand still first, so that none starts another meanwhile.
func killTree(p *os.Process) error {
	_ = signalTree(p, syscall.SIGSTOP) // the next one tells
	return signalTree(p, syscall.SIGKILL)
}

// stopTree has a process and all that it has started stand still, and returns when they do.
func stopTree(p *os.Process) error {
	err := signalTree(p, syscall.SIGSTOP)
	if err == nil {
		awaitStill(append(descendants(p.Pid), p.Pid))
	}
	return err
}

// continueTree has them go on.
func continueTree(p *os.Process) error { return signalTree(p, syscall.SIGCONT) }
