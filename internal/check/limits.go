package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits are the rate limits that are configured.
type Limits struct {
	Policies []Limit
	// Shared is true where instances count together.
	Shared bool
	// Proxies is true where proxies are believed about the addresses of clients.
	Proxies bool
}

// Limit is one of them.
type Limit struct {
	Name                       string
	Quota, Burst               int // Burst is not 0
	Window                     time.Duration
	By, Routes, Methods, Roles []string
	FailedTokens, DryRun       bool
}

// limits tells which of them are about whom.
func (i inspection) limits(context.Context) error {
	o := i.options.Limits
	if len(o.Policies) == 0 {
		i.report.ok("rate limits", "none")
		return nil
	}
	where := "counted in each instance by itself"
	if o.Shared {
		where = "counted for all instances together in Redis"
	}
	i.report.ok("rate limits", "%d, %s", len(o.Policies), where)
	for _, who := range []struct {
		name  string
		about func(Limit) bool
	}{
		{"an anonymous caller", func(l Limit) bool {
			return !l.ofCaller() && (len(l.Roles) == 0 || slices.Contains(l.Roles, i.options.AnonRole))
		}},
		{"a caller with a token", func(l Limit) bool { return len(l.Roles) == 0 || slices.ContainsFunc(l.Roles, i.notAnon) }},
		{"an address", func(l Limit) bool { return slices.Contains(l.By, "ip") }},
	} {
		var all []string
		for _, l := range o.Policies {
			if who.about(l) {
				all = append(all, l.String())
			}
		}
		if len(all) > 0 {
			i.report.ok("limits of "+who.name, "%s", strings.Join(all, "; "))
		}
	}
	if !o.Proxies && slices.ContainsFunc(o.Policies, func(l Limit) bool { return slices.Contains(l.By, "ip") }) {
		i.report.add(Finding{"limits by address", Warn, "no proxy is trusted to say the addresses of clients", "behind a proxy, all clients share one quota",
			"name the proxies in server-trusted-proxies; without a proxy, all is well"})
	}
	return nil
}

func (i inspection) notAnon(role string) bool { return role != i.options.AnonRole }

// ofCaller reports whether callers without a token have nothing that it counts by.
func (l Limit) ofCaller() bool {
	return slices.ContainsFunc(l.By, func(by string) bool { return by == "sub" || strings.HasPrefix(by, "claim:") })
}

// String is such as "exports: 10 in 1h0m0s, 10 at once, by ip, GET, of /big_*".
func (l Limit) String() string {
	text := fmt.Sprintf("%s: %d in %s, %d at once", l.Name, l.Quota, l.Window, l.Burst)
	if len(l.By) > 0 {
		text += ", by " + strings.Join(l.By, " and ")
	}
	if len(l.Methods) > 0 {
		text += ", " + strings.Join(l.Methods, " and ")
	}
	if len(l.Routes) > 0 {
		text += ", of " + strings.Join(l.Routes, " and ")
	}
	if len(l.Roles) > 0 {
		text += ", as " + strings.Join(l.Roles, " or ")
	}
	if l.FailedTokens {
		text += ", only refused tokens"
	}
	if l.DryRun {
		text += ", a dry run"
	}
	return text
}
