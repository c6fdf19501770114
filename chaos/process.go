package chaos

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"
)

// ProcessConfig says how to start a process. Command is required.
type ProcessConfig struct {
	// Name is for logs and events. Default: the program's.
	Name string `json:"-"`
	// Command is the program and its arguments. No shell is in between.
	Command []string `json:"command"`
	// Env is added to this process's environment.
	Env map[string]string `json:"env"`
	// Dir is where it runs. Default: here.
	Dir string `json:"dir"`
	// Ready is an address that accepts connections when it is ready; a path is that of a Unix socket. Default: it is at once.
	Ready string `json:"ready"`
	// ReadyWithin is how long that may take. Default 30 s.
	ReadyWithin time.Duration `json:"ready-within"`
	// Output is a file that its output is appended to. Default: ProcessConfig.Stderr, with its name before each line.
	Output string `json:"output"`

	// Stderr is where output goes unless Output says otherwise. Default: nowhere.
	Stderr io.Writer `json:"-"`
	// Logger gets what happens. Default: nobody.
	Logger *slog.Logger `json:"-"`
	// Events gets it, too. It is called by several goroutines.
	Events func(Event) `json:"-"`
}

// Process is one that was started here, with all that it has started. On Linux the kernel kills it when this process ends, in
// whatever way.
type Process struct {
	config ProcessConfig

	mu      sync.Mutex // held while something is done to it
	closed  bool
	running *running // nil before it was started and after it was killed
}

// running is a process that has not ended, or not been missed.
type running struct {
	cmd    *exec.Cmd
	gone   chan struct{} // closed when it has ended
	killed chan struct{} // closed before it is killed

	mu sync.Mutex // held while signals are sent, so that its number is not another's by then
}

// errNotRunning is what is answered when there is nothing to kill or stop.
var errNotRunning = errors.New("does not run")

// Validate says what is wrong, and what to write instead.
func (c *ProcessConfig) Validate() error {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return errors.New("a process needs a command, as in command: [postgres, -D, data]")
	}
	if c.ReadyWithin < 0 {
		return errors.New("ready-within cannot be negative")
	}
	return nil
}

// Start starts the process, and returns when it is ready.
func (c ProcessConfig) Start(ctx context.Context) (*Process, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Name = cmp.Or(c.Name, c.Command[0])
	const patience = 30 * time.Second
	c.ReadyWithin = cmp.Or(c.ReadyWithin, patience)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	p := &Process{config: c}
	return p, p.Restart(ctx)
}

// Name is the one it was given.
func (p *Process) Name() string { return p.config.Name }

// Running tells whether the process has been started and has not ended; one that is stopped does run.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running.isRunning()
}

// signal does something to the process if it has not ended.
func (r *running) signal(send func(*os.Process) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isRunning() {
		return nil
	}
	return send(r.cmd.Process)
}

// wait returns when the process has ended, and what it has left behind in its group with it.
func (r *running) wait() {
	if awaitZombie(r.cmd.Process) {
		r.mu.Lock()
		defer r.mu.Unlock()
		_ = killTree(r.cmd.Process) // there may be nothing left
	}
	_ = r.cmd.Wait() // how it has ended is in ProcessState
	close(r.gone)
}

func (r *running) isRunning() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.gone:
		return false
	default:
		return true
	}
}

// Kill ends the process and all that it has started at once (SIGKILL), and waits until it has ended.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running.isRunning() {
		return fmt.Errorf("%s %w", p.config.Name, errNotRunning)
	}
	p.kill()
	p.tell(Killed, "")
	return nil
}

func (p *Process) kill() {
	r := p.running
	close(r.killed)
	_ = r.signal(killTree) // it may have ended by itself
	<-r.gone
	p.running = nil
}

// Stop has the process and all that it has started stand still (SIGSTOP), with its connections open, until Continue.
func (p *Process) Stop() error { return p.still(stopTree, Stopped) }

// Continue ends a Stop (SIGCONT).
func (p *Process) Continue() error { return p.still(continueTree, Resumed) }

func (p *Process) still(how func(*os.Process) error, done Action) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running.isRunning() {
		return fmt.Errorf("%s %w", p.config.Name, errNotRunning)
	}
	if err := p.running.signal(how); err != nil {
		return fmt.Errorf("%s: %w", p.config.Name, err)
	}
	p.tell(done, "")
	return nil
}

// Restart kills the process if it runs, starts it, and returns when it is ready.
func (p *Process) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("%s %w for good", p.config.Name, errNotRunning)
	}
	if p.running.isRunning() {
		p.kill()
		p.tell(Killed, "to start it again")
	}
	r, err := p.start()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.config.Name, err)
	}
	p.running = r
	if err := p.awaitReady(ctx, r); err != nil {
		if r.isRunning() {
			p.kill()
		}
		return fmt.Errorf("start %s: %w", p.config.Name, err)
	}
	p.tell(Started, "")
	return nil
}

// Close kills the process if it runs. It cannot be started again.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.running.isRunning() {
		p.kill()
		p.tell(Killed, "at the end")
	}
	return nil
}

// start starts the process. Linux kills it when the thread ends that has started it, so that one stays with it.
func (p *Process) start() (*running, error) {
	cmd := exec.Command(p.config.Command[0], p.config.Command[1:]...) //nolint:gosec // what is to be started is told by the user
	cmd.Dir = p.config.Dir
	cmd.Env = os.Environ()
	for _, name := range slices.Sorted(maps.Keys(p.config.Env)) {
		cmd.Env = append(cmd.Env, name+"="+p.config.Env[name])
	}
	closeOutput, err := p.output(cmd)
	if err != nil {
		return nil, err
	}
	ownTree(cmd)
	r := &running{cmd: cmd, gone: make(chan struct{}), killed: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer closeOutput()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		r.wait()
		select {
		case <-r.killed:
		default:
			p.tell(Exited, fmt.Sprint("by itself: ", cmd.ProcessState))
		}
	}()
	return r, <-started
}

// output opens where the process writes to.
func (p *Process) output(cmd *exec.Cmd) (closeOutput func(), err error) {
	if p.config.Output != "" {
		const private = 0o600
		file, err := os.OpenFile(p.config.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, private)
		if err != nil {
			return nil, err
		}
		cmd.Stdout, cmd.Stderr = file, file
		return func() { _ = file.Close() }, nil
	}
	// A pipe of our own, as Wait would wait for all who have inherited exec's.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, write
	go func() {
		defer func() { _ = read.Close() }()
		for lines := bufio.NewScanner(read); lines.Scan(); {
			fmt.Fprintf(p.config.Stderr, "%s: %s\n", p.config.Name, lines.Bytes())
		}
		_, _ = io.Copy(io.Discard, read) // after a line too long to be shown
	}()
	return func() { _ = write.Close() }, nil
}

// awaitReady waits until the process accepts connections.
func (p *Process) awaitReady(ctx context.Context, r *running) error {
	if p.config.Ready == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.ReadyWithin)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, network(p.config.Ready), p.config.Ready)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing accepts connections at %s: %w", p.config.Ready, err)
		case <-r.gone:
			return fmt.Errorf("it has ended (%s) before it accepted connections at %s", r.cmd.ProcessState, p.config.Ready)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *Process) tell(action Action, detail string) {
	e := Event{Time: time.Now(), Action: action, Process: p.config.Name, Detail: detail}
	e.log(p.config.Logger)
	if p.config.Events != nil {
		p.config.Events(e)
	}
}
