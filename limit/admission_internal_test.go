package limit

import (
	"testing"
	"time"
)

// One is served a second, of those who always wait. In most intervals there is nobody.
func TestCapacityIsMeasuredOverStalls(t *testing.T) {
	a := newAdmission(20*time.Millisecond, 100*time.Millisecond)
	now := time.Duration(0)
	for i := range 1000 {
		a.arrive(Priority{Tier: Default})
		a.arrive(Priority{Tier: Background})
		if i%10 == 0 {
			a.served = 1
		}
		a.shortest, a.busy = 5, true
		now += a.interval
		a.tick(now, 0, 5, time.Second)
	}
	if a.capacity < 0.9 || a.capacity > 1.1 {
		t.Errorf("%.2f a second can be served, want 1", a.capacity)
	}
	if a.share > 0.1 || a.level >= levels/2 {
		t.Errorf("%.2f of 20 a second are admitted, down to level %d", a.share, a.level)
	}
}

// Of a level that is admitted in part, every so manieth is.
func TestALevelIsAdmittedInPart(t *testing.T) {
	a := newAdmission(20*time.Millisecond, 100*time.Millisecond)
	a.level, a.part = Priority{Tier: Sheddable, Cohort: 5}.level(), 0.25
	for _, test := range []struct {
		Priority
		want int
	}{
		{Priority{Critical, 127}, 0}, {Priority{Sheddable, 4}, 0}, {Priority{Sheddable, 5}, 75}, {Priority{Sheddable, 6}, 100},
		{Priority{Background, 0}, 100},
	} {
		refused := 0
		for range 100 {
			if a.arrive(test.Priority) {
				refused++
			}
		}
		if refused != test.want {
			t.Errorf("%v: %d of 100 refused, want %d", test.Priority, refused, test.want)
		}
	}
}
