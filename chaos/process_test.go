//go:build unix

package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
)

// beProcess is what the test binary does when a test starts it.
func beProcess(what string) int {
	address, file, _ := strings.Cut(what, " ")
	if address == "parent" { // starts one, writes down its number, and waits to be killed
		p, err := chaos.ProcessConfig{Command: []string{"sleep", "600"}}.Start(context.Background())
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(p.Running())
		select {}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("listening")
	if file != "" {
		child := exec.Command("sleep", "600")
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as PostgreSQL's
		if err := child.Start(); err != nil {
			return 1
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
			return 1
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		go func() {
			_, _ = io.Copy(c, c)
			c.Close()
		}()
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// server is the configuration of a process that echoes at an address; it has a child when a file for its number is given.
func server(address, file string) chaos.ProcessConfig {
	return chaos.ProcessConfig{
		Name: "server", Command: []string{os.Args[0]}, Env: map[string]string{asProcess: strings.TrimSpace(address + " " + file)}, Ready: address,
		ReadyWithin: time.Minute,
	}
}

func start(t *testing.T, c chaos.ProcessConfig) *chaos.Process {
	t.Helper()
	p, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// lives tells whether a process does anything; one that has ended and was not asked about does not.
func lives(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		return !bytes.Contains(stat, []byte(") Z "))
	}
	return runtime.GOOS != "linux" && syscall.Kill(pid, 0) == nil
}

func TestKillAndRestart(t *testing.T) {
	noLeaks(t)
	var mu sync.Mutex
	var events []string
	config := server(freeAddress(t), "")
	config.Events = func(e chaos.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, string(e.Action))
	}
	p := start(t, config)
	c := dial(t, config.Ready)
	if err := ask(c, "one"); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil || p.Running() {
		t.Fatal(err, p.Running())
	}
	if err := ask(c, "two"); err == nil {
		t.Error("answered after it was killed")
	}
	if c, err := net.Dial("tcp", config.Ready); err == nil {
		c.Close()
		t.Error("somebody listens after it was killed")
	}
	for _, err := range []error{p.Kill(), p.Stop(), p.Continue()} {
		if err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Error(err)
		}
	}
	for range 2 {
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := ask(dial(t, config.Ready), "three"); err != nil {
			t.Error(err)
		}
	}
	p.Close()
	if err := p.Restart(t.Context()); err == nil {
		t.Error("started after Close")
	}
	if got := strings.Join(events, " "); got != "started killed started killed started killed" {
		t.Error(got)
	}
}

func TestStopAndContinue(t *testing.T) {
	config := server(freeAddress(t), "")
	p := start(t, config)
	c := dial(t, config.Ready)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "question\n"); err != nil {
		t.Error(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("answered %q, %v while it stood still", buf[:n], err)
	}
	if err := p.Continue(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); string(buf[:n]) != "question\n" {
		t.Errorf("answered %q, %v", buf[:n], err)
	}
}

func TestKillTakesTheChildrenToo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children that lead groups of their own are found on Linux only")
	}
	file := filepath.Join(t.TempDir(), "pid")
	p := start(t, server(freeAddress(t), file))
	var child int
	eventually(t, "the child runs", func() bool {
		b, _ := os.ReadFile(file)
		child, _ = strconv.Atoi(string(b))
		return child != 0
	})
	if !lives(child) {
		t.Fatal("the child does not live")
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool { return !lives(child) })
}

func TestAProcessThatEndsByItself(t *testing.T) {
	noLeaks(t)
	exited := make(chan chaos.Event, 9)
	p := start(t, chaos.ProcessConfig{Command: []string{"sh", "-c", "exit 3"}, Events: func(e chaos.Event) {
		if e.Action == chaos.Exited {
			exited <- e
		}
	}})
	if e := <-exited; e.Process != "sh" || !strings.Contains(e.Detail, "exit status 3") {
		t.Errorf("%+v", e)
	}
	if p.Running() {
		t.Error("runs")
	}
	_, err := chaos.ProcessConfig{Name: "db", Command: []string{"sh", "-c", "exit 3"}, Ready: freeAddress(t)}.Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "start db: it has ended (exit status 3) before it accepted connections at 127.0.0.1:") {
		t.Error(err)
	}
	if _, err := (chaos.ProcessConfig{Command: []string{"/no/such/program"}}).Start(t.Context()); err == nil {
		t.Error("started what does not exist")
	}
}

func TestProcessesEndWithTheirParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel sees to it on Linux only")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asProcess+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "true" {
		t.Fatal(string(said), err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent.Process.Pid, parent.Process.Pid))
	if err != nil {
		t.Skip(err)
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent.Process.Pid))
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		children = append(children, b...)
	}
	child, err := strconv.Atoi(strings.Fields(string(children))[0])
	if err != nil || !lives(child) {
		t.Fatal(string(children), err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the child is gone", func() bool { return !lives(child) })
}

func TestOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	var mu sync.Mutex
	var seen bytes.Buffer
	write := writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return seen.Write(b)
	})
	start(t, chaos.ProcessConfig{Name: "a", Command: []string{"sh", "-c", "echo $GREETING; echo two >&2"}, Stderr: write,
		Env: map[string]string{"GREETING": "hello"}})
	eventually(t, "both lines", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen.String() == "a: hello\na: two\n"
	})
	for range 2 {
		start(t, chaos.ProcessConfig{Command: []string{"pwd"}, Dir: filepath.Dir(file), Output: file, Stderr: write})
	}
	eventually(t, "the file", func() bool {
		b, _ := os.ReadFile(file)
		return strings.Count(string(b), filepath.Dir(file)+"\n") == 2
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
