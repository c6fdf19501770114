package priority

import (
	"strings"

	"github.com/slipstream-go/slipstream/limit"
)

// urgency reads the parameter u of the header field Priority (RFC 9218, section 4.1), 0 to 7. As the RFC has it, what cannot be
// understood is ignored.
func urgency(values []string) (u int, ok bool) {
	for _, v := range values { // a dictionary may be spread over several lines; the last member counts (RFC 9651, section 3.2)
		for member := range strings.SplitSeq(v, ",") {
			digit, is := strings.CutPrefix(strings.Trim(member, " \t"), "u=")
			if digit, _, _ = strings.Cut(digit, ";"); is && len(digit) == 1 && '0' <= digit[0] && digit[0] <= '7' {
				u, ok = int(digit[0]-'0'), true
			}
		}
	}
	return u, ok
}

// tierOf is the tier for an urgency: 3, which is what the RFC takes for granted, is that of all requests that say nothing, and 7 that of
// work in the background (section 4.1).
func tierOf(urgency int) limit.Tier {
	switch {
	case urgency <= 1:
		return limit.Critical
	case urgency <= 3:
		return limit.Default
	case urgency <= 5:
		return limit.Sheddable
	}
	return limit.Background
}
