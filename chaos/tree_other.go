//go:build !unix

package chaos

import (
	"errors"
	"os"
	"os/exec"
)

var errNoSignals = errors.New("a process cannot be made to stand still on this system; kill it instead")

func ownTree(*exec.Cmd) {}

func awaitZombie(*os.Process) bool { return false }

func killTree(p *os.Process) error { return p.Kill() }

func stopTree(*os.Process) error { return errNoSignals }

func continueTree(*os.Process) error { return errNoSignals }
