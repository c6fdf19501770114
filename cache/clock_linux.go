package cache

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SystemClock reads CLOCK_BOOTTIME.
func SystemClock() func() time.Duration { return bootTime }

// bootTime reads CLOCK_BOOTTIME, which goes on while the machine sleeps; Go's monotonic clock stands still then, and an
// expired lease would look valid. The system call cannot block, so the scheduler need not know of it.
func bootTime() time.Duration {
	var t unix.Timespec
	if _, _, err := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		panic("cache: read CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}
