package main

import (
	"os"
	"runtime/debug"
)

// tuneRuntime lets the heap grow further between collections than Go does by itself: a server's live heap is small
// beside what its requests turn over, and the memory limit, which the library sets, has the last word.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

const gcPercent = 400
