package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Summary counts what was loaded, in the words of PostgREST's log line.
func (s *Snapshot) Summary() string {
	return fmt.Sprintf("%d Relations, %d Relationships, %d Functions, %d Domain Representations, %d Media Type Handlers",
		len(s.Relations), len(s.Relationships), len(s.Functions), len(s.Representations), len(s.MediaHandlers))
}

// MarshalJSON renders the whole snapshot under PostgREST's names for its parts,
// as lists in a stable order.
func (s *Snapshot) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Generation      uint64               `json:"generation"`
		LoadedAt        time.Time            `json:"loadedAt"`
		Version         int                  `json:"serverVersion"`
		Relations       []*Relation          `json:"dbTables"`
		Relationships   []*Relationship      `json:"dbRelationships"`
		Functions       []*Function          `json:"dbRoutines"`
		Representations []representationDump `json:"dbRepresentations"`
		MediaHandlers   []mediaHandlerDump   `json:"dbMediaHandlers"`
	}{
		s.Generation, s.LoadedAt, s.Version,
		inOrder(s.Relations, Name.compare),
		slices.Concat(inOrder(s.Relationships, RelationshipKey.compare)...),
		slices.Concat(inOrder(s.Functions, Name.compare)...),
		dumpRepresentations(s.Representations),
		dumpMediaHandlers(s.MediaHandlers),
	})
}

type representationDump struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Function Name   `json:"function"`
}

func dumpRepresentations(m map[[2]string]Name) []representationDump {
	var d []representationDump
	for cast, function := range m {
		d = append(d, representationDump{cast[0], cast[1], function})
	}
	slices.SortFunc(d, func(a, b representationDump) int {
		return slices.Compare([]string{a.Source, a.Target}, []string{b.Source, b.Target})
	})
	return d
}

type mediaHandlerDump struct {
	For       Name   `json:"for"`
	MediaType string `json:"mediaType"`
	MediaHandler
}

func dumpMediaHandlers(m map[MediaHandlerKey]MediaHandler) []mediaHandlerDump {
	var d []mediaHandlerDump
	for k, h := range m {
		d = append(d, mediaHandlerDump{k.Relation, k.MediaType, h})
	}
	slices.SortFunc(d, func(a, b mediaHandlerDump) int {
		return slices.Compare([]string{a.For.Schema, a.For.Name, a.MediaType}, []string{b.For.Schema, b.For.Name, b.MediaType})
	})
	return d
}

// inOrder gives a map's values in the order of its keys.
func inOrder[K comparable, V any](m map[K]V, compare func(K, K) int) []V {
	values := make([]V, 0, len(m))
	for _, k := range slices.SortedFunc(maps.Keys(m), compare) {
		values = append(values, m[k])
	}
	return values
}

// String is the kind's name in PostgreSQL's documentation.
func (k Kind) String() string {
	switch k {
	case Table:
		return "table"
	case Partitioned:
		return "partitioned table"
	case View:
		return "view"
	case Materialized:
		return "materialized view"
	case Foreign:
		return "foreign table"
	default:
		return fmt.Sprintf("relation of kind %q", byte(k))
	}
}

// MarshalText is String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String is the cardinality's name in PostgREST's answers: many-to-one and so on.
func (c Cardinality) String() string {
	switch c {
	case ManyToOne:
		return "many-to-one"
	case OneToMany:
		return "one-to-many"
	case OneToOne:
		return "one-to-one"
	case ManyToMany:
		return "many-to-many"
	default:
		return fmt.Sprintf("cardinality %d", int(c))
	}
}

// MarshalText is String.
func (c Cardinality) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String is the volatility's keyword in CREATE FUNCTION, in lower case.
func (v Volatility) String() string {
	switch v {
	case Immutable:
		return "immutable"
	case Stable:
		return "stable"
	case Volatile:
		return "volatile"
	default:
		return fmt.Sprintf("volatility %q", byte(v))
	}
}

// MarshalText is String.
func (v Volatility) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
