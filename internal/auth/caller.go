package auth

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Caller is a verified identity. It is immutable and shared between requests.
type Caller struct {
	// Role is the database role of the transaction.
	Role string
	// Claims is the JSON object for request.jwt.claims, compact: the token's claims with "role" set to Role; for an
	// anonymous caller {"role":"..."}.
	Claims json.RawMessage
	// Anonymous is true when no token was sent.
	Anonymous bool
	// AnonRole is true when Role is the anonymous role, with or without a token: a
	// refusal by the database is a 401 then, else a 403.
	AnonRole bool
	// Subject is the sub claim, or empty.
	Subject string
	// Expires is when the token stops being valid; zero for tokens without exp.
	Expires time.Time

	members claimMembers
}

// claimMembers are the claims by name, when somebody has asked for one.
type claimMembers struct {
	once   sync.Once
	byName map[string]json.RawMessage
}

// Claim is the JSON text of one claim, or nil without it.
func (c *Caller) Claim(name string) json.RawMessage {
	c.members.once.Do(func() {
		if json.Unmarshal(c.Claims, &c.members.byName) != nil {
			c.members.byName = nil // Claims are a valid object
		}
	})
	return c.members.byName[name]
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of a request's context, or nil.
func CallerFrom(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
