package plan

// Keyset describes a cursor page.
type Keyset struct{}
