package auth

import "encoding/json"

// NextFetch is when a key set is fetched again, and MaxAgeOf what its answer says
// of that.
var (
	NextFetch = nextFetch
	MaxAgeOf  = maxAgeOf
)

// RolePath lets the tests of the path's grammar do without tokens.
type RolePath struct{ path rolePath }

// ParseRolePath reads jwt-role-claim-key.
func ParseRolePath(s string) (RolePath, error) {
	p, err := parseRolePath(s)
	return RolePath{p}, err
}

// Find looks for the role in a JSON object.
func (p RolePath) Find(object string) (string, bool) {
	var c claims
	if err := json.Unmarshal([]byte(object), &c); err != nil {
		return "", false
	}
	return p.path.find(c)
}
