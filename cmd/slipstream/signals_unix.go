//go:build unix

package main

import "syscall"

// PostgREST's signals.
const (
	reloadSchema = syscall.SIGUSR1
	reloadConfig = syscall.SIGUSR2
)
