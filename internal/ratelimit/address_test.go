package ratelimit_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/slipstream-go/slipstream/internal/ratelimit"
)

func TestAddresses(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	xff := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	forwarded := func(lines ...string) http.Header { return http.Header{"Forwarded": lines} }
	byForwarded := ratelimit.Addresses{Trusted: proxies, Header: "forwarded"}
	byXFF := ratelimit.Addresses{Trusted: proxies}
	bySocket := ratelimit.Addresses{Trusted: proxies, TrustSocket: true}
	for _, c := range []struct {
		what      string
		addresses ratelimit.Addresses
		remote    string
		header    http.Header
		want      string
	}{
		{"no proxy", ratelimit.Addresses{}, "192.0.2.7:1234", nil, "192.0.2.7"},
		{"what strangers say is not believed", byXFF, "192.0.2.7:1234", xff("198.51.100.1"), "192.0.2.7"},
		{"nor without any that are trusted", ratelimit.Addresses{}, "10.1.1.1:1", xff("198.51.100.1"), "10.1.1.1"},
		{"a proxy", byXFF, "10.1.1.1:1", xff("198.51.100.1"), "198.51.100.1"},
		{"what the client wrote before it came to the proxy", byXFF, "10.1.1.1:1", xff("203.0.113.9, 198.51.100.1"), "198.51.100.1"},
		{"in a line of its own", byXFF, "10.1.1.1:1", xff("203.0.113.9", "198.51.100.1"), "198.51.100.1"},
		{"two proxies", byXFF, "10.1.1.1:1", xff("203.0.113.9, 198.51.100.1 ,10.2.2.2"), "198.51.100.1"},
		{"two proxies in two lines", byXFF, "10.1.1.1:1", xff("198.51.100.1", "10.2.2.2"), "198.51.100.1"},
		{"proxies only", byXFF, "10.1.1.1:1", xff("10.3.3.3, 10.2.2.2"), "10.3.3.3"},
		{"a proxy that says nothing", byXFF, "10.1.1.1:1", nil, "10.1.1.1"},
		{"what cannot be read is the work of the one before", byXFF, "10.1.1.1:1", xff("198.51.100.1, unknown, 10.2.2.2"), "10.2.2.2"},
		{"an empty element", byXFF, "10.1.1.1:1", xff("198.51.100.1,"), "10.1.1.1"},
		{"with a port", byXFF, "10.1.1.1:1", xff("198.51.100.1:4711"), "198.51.100.1"},
		{"the other header is not looked at", byXFF, "10.1.1.1:1", forwarded("for=198.51.100.1"), "10.1.1.1"},
		{"Forwarded", byForwarded, "10.1.1.1:1", forwarded(`by=10.1.1.1; FOR="198.51.100.1:4711";proto=https`), "198.51.100.1"},
		{"Forwarded of several", byForwarded, "10.1.1.1:1", forwarded(`for=203.0.113.9, for=198.51.100.1`, `for=10.2.2.2`), "198.51.100.1"},
		{"Forwarded with IPv6", byForwarded, "10.1.1.1:1", forwarded(`for="[2001:db8:2:3:4:5:6:7]:4711"`), "2001:db8:2:3::"},
		{"Forwarded of somebody who hides", byForwarded, "10.1.1.1:1", forwarded(`for=198.51.100.1, for=_hidden`), "10.1.1.1"},
		{"a proxy by IPv6", byXFF, "[2001:db8:1::5]:1", xff("198.51.100.1"), "198.51.100.1"},
		{"a proxy by IPv4 in IPv6", byXFF, "[::ffff:10.1.1.1]:1", xff("198.51.100.1"), "198.51.100.1"},
		{"a client by IPv4 in IPv6", byXFF, "[::ffff:192.0.2.7]:1", nil, "192.0.2.7"},
		{"a client of IPv6", byXFF, "[2001:db8:2:3:4:5:6:7]:1", nil, "2001:db8:2:3::"},
		{"another prefix", ratelimit.Addresses{IPv6: 32}, "[2001:db8:2:3:4:5:6:7]:1", nil, "2001:db8::"},
		{"a zone", byXFF, "[fe80::1%eth0]:1", nil, "fe80::"},
		{"a socket", byXFF, "@", xff("198.51.100.1"), ""},
		{"a socket that is trusted", bySocket, "", xff("198.51.100.1, 10.1.1.1"), "198.51.100.1"},
		{"a socket that is trusted and says nothing", bySocket, "@", nil, ""},
	} {
		got := c.addresses.Of(&http.Request{RemoteAddr: c.remote, Header: c.header})
		if got.IsValid() != (c.want != "") || got.IsValid() && got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
