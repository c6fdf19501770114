//go:build !linux

package loadtest

import "context"

func newAlarm(ctx context.Context) alarm { return newTimerAlarm(ctx) }
