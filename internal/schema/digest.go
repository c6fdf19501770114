package schema

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Digest is a hash of all in the snapshot that requests are planned by. Snapshots of the same catalog have the same one,
// whoever loaded them, and when.
func (s *Snapshot) Digest() (digest [sha256.Size]byte, err error) {
	hash := sha256.New()
	out := json.NewEncoder(hash)
	parts := []any{&Snapshot{ // without what is another one each time
		Version: s.Version, Relations: s.Relations, Relationships: s.Relationships, Functions: s.Functions,
		Representations: s.Representations, MediaHandlers: s.MediaHandlers,
	}}
	for _, r := range inOrder(s.Relations, Name.compare) {
		parts = append(parts, r.unseen())
	}
	for _, overloads := range inOrder(s.Functions, Name.compare) {
		for _, f := range overloads {
			parts = append(parts, f.Reach)
		}
	}
	for _, p := range parts {
		if err := out.Encode(p); err != nil {
			return digest, fmt.Errorf("hash the schema: %w", err)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// unseen is what MarshalJSON leaves out of a relation.
func (r *Relation) unseen() any {
	type column struct {
		Number int16
		Loose  bool
	}
	out := struct {
		Plain    bool
		Reach    Reach
		Columns  []column
		Computed []Name
		Fields   []*ComputedField
	}{
		Plain: r.Plain, Reach: r.Reach,
		Computed: slices.SortedFunc(maps.Keys(r.Computed), Name.compare), Fields: inOrder(r.Computed, Name.compare),
	}
	for _, c := range r.Columns {
		out.Columns = append(out.Columns, column{c.Number, c.Loose})
	}
	return out
}
