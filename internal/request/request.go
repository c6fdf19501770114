package request

import "time"

// Settings are what parsing needs to know of the configuration.
type Settings struct {
	// Schemas are the exposed schemas; the first is the default one.
	Schemas []string
	// RootSpec is the function that answers GET /, or empty.
	RootSpec string
	// Limits bound the complexity of a query.
	Limits Limits
}

// Limits bound what one URL may ask; a zero field takes its default.
type Limits struct {
	Depth      int // nesting of embeds and of logic trees, default 32
	Conditions int // filters and logic leaves, default 512
	Fields     int // selected fields, embeds and order terms, default 1600: PostgreSQL takes 1664 columns
	Embeds     int // embedded resources, default 64: PostgreSQL plans 130 joins for seconds
}

// Target is what kind of thing the path names.
type Target int

// The targets.
const (
	Root     Target = iota // /
	Relation               // /name
	Function               // /rpc/name
)

// Request is a parsed request.
type Request struct {
	Method string
	Target Target
	// Schema is negotiated from Accept-Profile (GET, HEAD) or Content-Profile, else the first exposed one.
	Schema string
	// ProfileNegotiated is true when several schemas are exposed or a profile header was sent: the answer then carries Content-Profile.
	ProfileNegotiated bool
	// Name of the relation or function.
	Name  string
	Query Query
	// Window is the top level's limit and offset: the intersection of limit=/offset= with the Range header of a GET.
	Window Window
	Prefer Preferences
	// IfMatch and IfNoneMatch are the conditions on a relation's row; nil where none were sent.
	IfMatch, IfNoneMatch *EntityTags
	// Accept are the accepted media types, best first; never empty (no header is */*).
	Accept []MediaType
	// ContentType is that of the body; application/json when absent.
	ContentType MediaType
	// Payload is the body, for who has read it with ReadPayload; Parse leaves it nil.
	Payload *Payload

	accept [1]MediaType // room for the usual Accept
}

// Preferences is the parsed Prefer header (RFC 7240), all of its field lines.
type Preferences struct {
	Resolution  string        // merge-duplicates, ignore-duplicates
	Return      string        // representation, headers-only, minimal
	Count       string        // exact, planned, estimated
	Wait        time.Duration // that the client is ready to wait for the answer; 0 is not said
	Tx          string        // commit, rollback
	Missing     string        // default, null
	Handling    string        // strict, lenient
	Timezone    string        // as sent, never Invalid: since v16 PostgreSQL is asked whether it exists (22023)
	MaxAffected *int64
	Pagination  string // cursor (ours)
	Read        string // primary (ours)
	Invalid     []string

	maxAffectedSeen bool
}
