package slipstream

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// Under overload, all requests of a cohort are served or refused. Clients behind one proxy must not all be of one.
func TestStrangersShareNoFateBehindATrustedProxy(t *testing.T) {
	for _, c := range []struct {
		trusted []string
		peer    string
		many    bool
	}{{nil, "10.0.0.1:1", false}, {[]string{"10.0.0.0/8"}, "10.0.0.1:1", true}, {[]string{"10.0.0.0/8"}, "192.0.2.1:1", false}, {[]string{"unix"}, "@", true}} {
		var o rest.Options
		if err := (Config{ServerTrustedProxies: c.trusted}).WithDefaults().overload(&Server{}, &o); err != nil {
			t.Fatal(err)
		}
		cohorts := map[uint8]bool{}
		for i := range 100 {
			r := httptest.NewRequest("GET", "/orders", nil)
			r.RemoteAddr = c.peer
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
			p, _ := o.Priority(r, &auth.Caller{Anonymous: true})
			cohorts[p.Cohort] = true
		}
		if many := len(cohorts) > 20; many != c.many {
			t.Errorf("%v, by %s: %d cohorts of 100 clients", c.trusted, c.peer, len(cohorts))
		}
	}
}
