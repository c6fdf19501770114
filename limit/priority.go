package limit

import "time"

// Tier is how much a request matters. The zero value is Critical, so say Default where nothing is known.
type Tier uint8

// The tiers, best first (after Uber's Cinnamon and Google's SRE book, "Handling Overload").
const (
	Critical   Tier = iota // shed last, and never for having waited long
	Default                // what users wait for
	Sheddable              // what can be done later, or shown without
	Background             // nobody waits for it
)

const (
	tiers   = 4
	cohorts = 128
	levels  = tiers * cohorts
)

func (t Tier) String() string {
	return [tiers]string{"critical", "default", "sheddable", "background"}[min(t, Background)]
}

// Priority is a tier and, within it, one of 128 cohorts, the lower the better. Cohorts let a tier be shed in part, and by
// the same requests for a while: half of the tenants see no error, instead of all of them some.
type Priority struct {
	Tier   Tier
	Cohort uint8 // 0 to 127
}

// level orders priorities, 0 is the best.
func (p Priority) level() int {
	return int(min(p.Tier, Background))*cohorts + int(p.Cohort%cohorts)
}

func priorityOf(level int) Priority {
	return Priority{Tier(level / cohorts), uint8(level % cohorts)}
}

// CohortOf gives a tenant another cohort every hour, so that nobody is always the first to be shed. All instances of a
// service agree on it.
func CohortOf(tenant string, at time.Time) uint8 {
	hour := uint64(at.Unix() / 3600)
	return uint8(mix(TenantOf(tenant)^mix(hour)) % cohorts)
}

// TenantOf is the hash of a tenant's name for Ask.Tenant: FNV-1a. It is
// never 0.
func TenantOf(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return max(1, h)
}

// mix spreads the bits of x (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
