package ratelimit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Addresses says how clients are told apart by address.
type Addresses struct {
	// Trusted are the proxies that are believed when they say for whom they send a request. Without any, the address is that
	// of the connection.
	Trusted []netip.Prefix
	// TrustSocket believes whoever connects by a Unix socket.
	TrustSocket bool
	// Header is where the proxies say it: X-Forwarded-For, by default, or another with a list of addresses; or Forwarded
	// (RFC 7239). No other is looked at: who can choose the field can choose an address.
	Header string
	// IPv6 is the length of the prefix by which addresses of IPv6 are one client; 0 is 64.
	IPv6 int
}

// Of is the address of the client that sends a request, without the bits that it can choose itself; not valid where it is
// not known.
func (a *Addresses) Of(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case err != nil && !a.TrustSocket:
		return netip.Addr{}
	case err == nil && !a.trusts(peer.Addr().Unmap()):
		return a.client(peer.Addr())
	}
	return a.client(a.forwarded(r.Header, peer.Addr()))
}

func (a *Addresses) trusts(addr netip.Addr) bool {
	addr = addr.WithZone("")
	return slices.ContainsFunc(a.Trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// forwarded goes from the right, where the proxy next to us has written, through what proxies that are trusted have
// written: the first address that is none of them is the client's. What cannot be read ends the way: then the client is the one
// who has written it.
func (a *Addresses) forwarded(header http.Header, last netip.Addr) netip.Addr {
	name, read := a.Header, readAddress
	if name == "" {
		name = "X-Forwarded-For"
	}
	if strings.EqualFold(name, "Forwarded") {
		read = readForwarded
	}
	lines := header.Values(name)
	for _, line := range slices.Backward(lines) {
		for line != "" {
			var element string
			line, element = cutLast(line)
			addr, ok := read(element)
			if !ok {
				return last
			}
			if last = addr; !a.trusts(addr) {
				return last
			}
		}
	}
	return last
}

// cutLast takes the last element of a list. A comma in quotes would have been part of an element: addresses have none.
func cutLast(line string) (rest, element string) {
	if i := strings.LastIndexByte(line, ','); i >= 0 {
		return line[:i], line[i+1:]
	}
	return "", line
}

// readForwarded takes the parameter for out of an element of Forwarded.
func readForwarded(element string) (netip.Addr, bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(strings.TrimSpace(name), "for") {
			return readAddress(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return netip.Addr{}, false
}

// readAddress takes an address, with or without a port.
func readAddress(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return addr.Unmap(), err == nil
}

// client leaves out what a client can change by itself: most get a whole prefix of IPv6.
func (a *Addresses) client(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	bits := a.IPv6
	if bits == 0 {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return addr // only a length that is no length
	}
	return p.Addr()
}
