package devdb

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// dirLock marks a directory as owned by this process. The kernel drops it when
// the process ends, however it ends; the server does not inherit it.
type dirLock struct {
	file *os.File
	once sync.Once
}

// acquire takes the lock, or returns ErrInUse.
func acquire(path string) (*dirLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return nil, ErrInUse
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &dirLock{file: f}, nil
}

func (l *dirLock) release() {
	l.once.Do(func() { _ = l.file.Close() })
}
