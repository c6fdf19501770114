package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/netip"
	"strings"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/limit"
)

// part is one of the things that a policy counts by.
type part struct {
	kind kind
	name string // of the claim or header
}

type kind int

const (
	unknown kind = iota
	byAddress
	bySubject
	byRole
	byClaim
	byHeader
	byRoute
	byMethod
)

// ofCaller reports whether the part is known when the token is verified, and not before.
func (p part) ofCaller() bool { return p.kind == bySubject || p.kind == byRole || p.kind == byClaim }

// Known reports whether a policy can count by something.
func Known(by string) bool { return partOf(by).kind != unknown }

func partOf(by string) part {
	switch by {
	case "ip":
		return part{kind: byAddress}
	case "sub":
		return part{kind: bySubject}
	case "role":
		return part{kind: byRole}
	case "route":
		return part{kind: byRoute}
	case "method":
		return part{kind: byMethod}
	}
	of, name, _ := strings.Cut(by, ":")
	switch {
	case of == "claim" && name != "":
		return part{byClaim, name}
	case of == "header" && name != "":
		return part{byHeader, http.CanonicalHeaderKey(name)}
	}
	return part{}
}

// subject is what keys are made of.
type subject struct {
	method, path string
	caller       *auth.Caller
	address      netip.Addr // not valid where it is not known
	header       http.Header
	unjudged     bool // its token could be neither verified nor refused
}

// key is a digest of all parts; so neither addresses nor API keys are kept. It is not ok without one of them.
func (p *policy) key(s *subject) (k limit.Key, ok bool) {
	if len(p.parts) == 0 {
		return k, true
	}
	var room [256]byte
	text := room[:0]
	for _, one := range p.parts {
		length := len(text)
		text = append(text, 0, 0, 0, 0)
		if text = one.append(text, s); len(text) == length+4 {
			return k, false
		}
		binary.BigEndian.PutUint32(text[length:], uint32(len(text)-length)) // so that no two sets of parts are one text
	}
	sum := sha256.Sum256(text)
	copy(k[:], sum[:])
	return k, true
}

// append adds what the part is in a request, and nothing where it has none.
func (p part) append(text []byte, s *subject) []byte {
	switch p.kind {
	case byAddress:
		if s.address.IsValid() {
			a := s.address.As16()
			return append(text, a[:]...)
		}
	case byHeader:
		return append(text, s.header.Get(p.name)...)
	case byRoute:
		return append(text, s.path...)
	case byMethod:
		return append(text, s.method...)
	}
	if s.caller == nil {
		return text
	}
	switch p.kind {
	case bySubject:
		return append(text, s.caller.Subject...)
	case byRole:
		return append(text, s.caller.Role...)
	case byClaim:
		if claim := s.caller.Claim(p.name); string(claim) != "null" {
			return append(text, claim...)
		}
	}
	return text
}
