package devdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// server is a running postmaster that this process started.
type server struct {
	process  *os.Process
	logFile  string
	done     chan struct{}
	exit     error // set before done is closed
	stopping atomic.Bool
}

// launch starts the server and waits until it takes connections.
func launch(ctx context.Context, bin installation, p place, settings map[string]string) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		s, err := spawn(bin, p, settings)
		if err != nil {
			return nil, err
		}
		err = s.waitReady(ctx, p)
		if err == nil {
			return s, nil
		}
		_ = s.stop(canceled())
		if !orphansRemain(p.logFile()) || ctx.Err() != nil {
			return nil, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// orphansRemain tells whether the server refused to start because children of
// a killed predecessor still live. They end soon by themselves.
func orphansRemain(logFile string) bool {
	return strings.Contains(tail(logFile, 20), "pre-existing shared memory block")
}

// spawn starts the server's process.
func spawn(bin installation, p place, settings map[string]string) (*server, error) {
	log, err := openLog(p.logFile())
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(bin.program("postgres"), arguments(p.dataDir(), settings)...)
	cmd.Stdout, cmd.Stderr = log, log
	p.user.apply(cmd)
	cmd.Dir = p.dataDir()
	endWithParent(cmd)

	s := &server{logFile: p.logFile(), done: make(chan struct{})}
	started := make(chan error)
	go s.supervise(cmd, started)
	return s, <-started
}

// supervise starts the process and waits for its end on one thread, which it
// keeps: Linux sends the parent's death signal when the thread ends that
// started the child, not the process.
func (s *server) supervise(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	err := cmd.Start()
	s.process = cmd.Process
	started <- err
	if err != nil {
		return
	}
	s.exit = cmd.Wait()
	close(s.done)
}

func arguments(dataDir string, settings map[string]string) []string {
	args := []string{"-D", dataDir}
	for name, value := range settings {
		args = append(args, "--"+name+"="+value)
	}
	sort.Strings(args[2:])
	return args
}

// waitReady returns when the server takes connections.
func (s *server) waitReady(ctx context.Context, p place) error {
	for {
		if pid, status := readPidFile(p.pidFile()); pid == s.process.Pid && status == "ready" {
			return nil
		}
		select {
		case <-s.done:
			return s.died()
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w; its log %s ends with:\n%s", ctx.Err(), s.logFile, tail(s.logFile, 10))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *server) died() error {
	how := "exit status 0"
	if s.exit != nil {
		how = s.exit.Error()
	}
	return fmt.Errorf("the server ended by itself (%s); its log %s ends with:\n%s", how, s.logFile, tail(s.logFile, 10))
}

func (s *server) err() error {
	select {
	case <-s.done:
	default:
		return nil
	}
	if s.stopping.Load() {
		return nil
	}
	return s.died()
}

// stop ends the server with growing urgency.
func (s *server) stop(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
		s.stopping.Store(true)
	}
	return terminate(ctx, s.process, s.done)
}

// terminate asks a postmaster to end: in order (SIGINT), then without a
// checkpoint (SIGQUIT), then it is killed. The end of ctx skips the first.
func terminate(ctx context.Context, process *os.Process, done <-chan struct{}) error {
	steps := []struct {
		ctx     context.Context
		signal  syscall.Signal
		timeout time.Duration
	}{
		{ctx, syscall.SIGINT, fastTimeout},
		{context.WithoutCancel(ctx), syscall.SIGQUIT, immediateTimeout},
		{context.WithoutCancel(ctx), syscall.SIGKILL, immediateTimeout},
	}
	for _, step := range steps {
		if err := process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		ctx, cancel := context.WithTimeout(step.ctx, step.timeout)
		select {
		case <-done:
		case <-ctx.Done():
		}
		cancel()
		select {
		case <-done:
			return nil
		default:
		}
	}
	return fmt.Errorf("process %d does not end", process.Pid)
}

// canceled is a context that has ended: stop(canceled()) wastes no time.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
