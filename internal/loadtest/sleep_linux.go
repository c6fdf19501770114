package loadtest

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerfdAlarm sleeps on a timerfd(2) by way of Go's network poller. A sleeping Go program waits for its own timers in
// epoll_wait(2), in whole milliseconds; for a file descriptor it is woken when it is ready, here some 50 µs after the time.
// clock_nanosleep(2) is no better: a thread in a system call keeps its share of GOMAXPROCS until the scheduler takes it away.
type timerfdAlarm struct {
	fd   int
	file *os.File // owns fd
	raw  syscall.RawConn
	stop func() bool
}

// newAlarm falls back on Go's timers where there is no timerfd.
func newAlarm(ctx context.Context) alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return newTimerAlarm(ctx)
	}
	a := &timerfdAlarm{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}
	a.raw, err = a.file.SyscallConn()
	if err == nil {
		err = a.file.SetReadDeadline(time.Time{}) // fails unless the poller watches it
	}
	if err != nil {
		_ = a.file.Close()
		return newTimerAlarm(ctx)
	}
	a.stop = context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) })
	return a
}

func (a *timerfdAlarm) until(t time.Time) {
	for {
		d := time.Until(t)
		if d <= 0 {
			return
		}
		armed := false
		// The poller has begun to watch for an edge before it calls this for the first time, so that none is missed.
		err := a.raw.Read(func(uintptr) bool {
			if armed {
				return true
			}
			armed = true
			return unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}, nil) != nil
		})
		if err != nil {
			return // the context has ended
		}
	}
}

func (a *timerfdAlarm) close() {
	a.stop()
	_ = a.file.Close()
}
