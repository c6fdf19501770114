//go:build !unix

package main

import "syscall"

// There are no such signals here, and nothing sends these numbers: reload by NOTIFY.
const (
	reloadSchema = syscall.Signal(-1)
	reloadConfig = syscall.Signal(-2)
)
