package feed

// Mode is a way to learn of changes.
type Mode string

// The modes.
const (
	// WAL follows the write-ahead log, which has every row that was changed.
	WAL Mode = "wal"
	// Notify listens to triggers, which tell the tables that were written to.
	Notify Mode = "notify"
)

// Modes are those that the option cache-mode leaves, the best first: auto leaves all, and off none.
func Modes(option string) []Mode {
	switch option {
	case "auto":
		return []Mode{WAL, Notify}
	case string(WAL), string(Notify):
		return []Mode{Mode(option)}
	}
	return nil
}

// Hint is what to do for a better mode; empty in the best.
func (m Mode) Hint() string {
	if m == Notify {
		return `answers are dropped by table; to drop them by row, set wal_level = logical and run "slipstream cache install"`
	}
	return ""
}
