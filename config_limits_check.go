package slipstream

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/ratelimit"
	"github.com/slipstream-go/slipstream/limit"
)

func (l *RateLimit) rate() limit.Rate {
	return limit.Rate{Quota: l.Quota, Window: l.Window, Burst: l.Burst}
}

// check says what is wrong with one policy by itself.
func (l *RateLimit) check() error {
	for _, g := range l.all() {
		if err := g.check(); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	if l.Name == "" || strings.Trim(l.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || len(l.Name) > 64 {
		return fmt.Errorf("name is %q; write up to 64 letters, digits and -_., such as per-user", l.Name)
	}
	if l.Window == 0 {
		return errors.New("window is missing; write the time for which quota is, such as window: 1m")
	}
	if err := l.rate().Check(); err != nil {
		return err
	}
	return errors.Join(l.checkBy(), l.checkWhich(), l.checkCost())
}

func (l *RateLimit) checkBy() error {
	for _, by := range l.By {
		if !ratelimit.Known(by) {
			return fmt.Errorf("by: %q is not known; write ip, sub, role, claim:NAME, header:NAME, route or method, or leave it out to count all together", by)
		}
		if l.Count == failedTokens && (by == "sub" || by == "role" || strings.HasPrefix(by, "claim:")) {
			return fmt.Errorf("by: a refused token says nothing about %s; write by: ip", by)
		}
	}
	return nil
}

func (l *RateLimit) checkWhich() error {
	if l.Count == failedTokens && len(l.Roles) > 0 {
		return errors.New("roles: a refused token has no role; leave roles out")
	}
	for _, route := range append(sortedKeys(l.Cost), l.Routes...) {
		if path := strings.TrimSuffix(route, "*"); !strings.HasPrefix(path, "/") || strings.Contains(path, "*") {
			return fmt.Errorf("%q is no route; write a path such as /orders, or the beginning of several as /rpc/*", route)
		}
	}
	for _, m := range l.Methods {
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}, m) {
			return fmt.Errorf("methods: %q is not known; write GET (which is HEAD, too), POST, PATCH, PUT, DELETE or OPTIONS", m)
		}
	}
	return nil
}

// checkCost refuses costs that are never there.
func (l *RateLimit) checkCost() error {
	for _, route := range sortedKeys(l.Cost) {
		if n, most := l.Cost[route], l.rate().AtOnce(); n > most {
			return fmt.Errorf("cost: %s takes %d, and at most %d are there at once; raise burst, or lower the cost", route, n, most)
		}
	}
	return nil
}

// checkLimits is about what policies need of other options.
func (c Config) checkLimits() error {
	byAddress := slices.IndexFunc(c.Limits, func(l RateLimit) bool { return slices.Contains(l.By, "ip") })
	if byAddress >= 0 && c.ServerUnixSocket != "" && !slices.Contains(c.ServerTrustedProxies, trustedSocket) {
		return fmt.Errorf("%s: by a Unix socket clients have no addresses; add unix to server-trusted-proxies if a proxy says them", c.Limits[byAddress].Name)
	}
	return nil
}

// trustedSocket among the trusted proxies is whoever connects by the Unix socket.
const trustedSocket = "unix"

// trustedProxies reads the option.
func (c Config) trustedProxies() (all []netip.Prefix, err error) {
	for _, text := range c.ServerTrustedProxies {
		if text == trustedSocket {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			p, err = netip.PrefixFrom(addr.Unmap().WithZone(""), addr.Unmap().BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network; write 10.1.2.3, 10.0.0.0/8, 2001:db8::/32 or unix", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (c Config) checkProxies() error {
	_, err := c.trustedProxies()
	return err
}

func (c Config) checkIPv6Prefix() error {
	if c.LimitsIPv6Prefix > 128 {
		return fmt.Errorf("%d is too large; write a length from 1 to 128", c.LimitsIPv6Prefix)
	}
	return nil
}
