package request

// MediaType is a parsed media type. Vendor types of PostgREST are recognised by
// their names; everything else is Name alone.
type MediaType struct {
	// Name is type/subtype in lower case, such as application/json, text/csv, */*.
	Name string
	// Params are the remaining parameters as sent (charset, q and those below are taken out), for types that are echoed.
	Params string
	// NullsStripped is nulls=stripped of application/vnd.pgrst.object and application/vnd.pgrst.array.
	NullsStripped bool
	// Plan holds the parameters of application/vnd.pgrst.plan; nil otherwise.
	Plan *PlanOptions
}

// PlanOptions are the parameters of application/vnd.pgrst.plan+json|+text.
type PlanOptions struct {
	JSON                                     bool // +json, else +text
	For                                      *MediaType
	Analyze, Verbose, Settings, Buffers, Wal bool
}

// The media types that have a meaning of their own.
const (
	JSON        = "application/json"
	CSV         = "text/csv"
	NDJSON      = "application/x-ndjson"
	GeoJSON     = "application/geo+json"
	Object      = "application/vnd.pgrst.object" // singular; +json is the same
	Array       = "application/vnd.pgrst.array"
	Plan        = "application/vnd.pgrst.plan"
	OpenAPI     = "application/openapi+json"
	OctetStream = "application/octet-stream"
	TextPlain   = "text/plain"
	TextXML     = "text/xml"
	URLEncoded  = "application/x-www-form-urlencoded"
	AnyType     = "*/*"
)
