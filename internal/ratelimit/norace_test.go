//go:build !race

package ratelimit

// raceDetector says that allocations cannot be counted.
const raceDetector = false
