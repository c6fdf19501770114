//go:build !race

package limit_test

// raceDetector says that allocations cannot be counted.
const raceDetector = false
