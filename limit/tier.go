package limit

// TierOf understands what Tier.String gives.
func TierOf(name string) (t Tier, ok bool) {
	for t := range Tier(tiers) {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}
