package pg

import (
	"math/rand/v2"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/limit"
)

// session is what is known of one connection: its prepared statements.
type session struct {
	generation uint64 // see DB.generation
	server     identity
	statements map[statementKey]*prepared
	bytes      int                 // of their texts
	dead       []string            // names that the next trip deallocates
	altered    map[string]struct{} // reported parameters whose value is not that at the session's begin
	prefix     string              // of the names
	named      uint64
	clock      uint64 // counts uses, to find the statement that was not used for longest

	// Of who has the connection.
	permit limit.Permit
	work   limit.Outcome // what is known of it
}

// statementKey tells prepared statements apart. The role and the search path are part of it: a plan made for one role
// must not serve another under row level security (CVE-2024-10976), and names resolve by the search path.
type statementKey struct{ sql, role, searchPath string }

type prepared struct {
	key      statementKey
	name     string
	columns  []string
	sent     bool // to the server, in this trip or before
	accepted bool // by the server
	used     uint64
}

// mostText bounds the texts of a session's statements, in bytes. The server takes some thirty times that for them.
const mostText = 1 << 20

const sessionKey = "slipstream.session"

// newSession gives its statements names of their own: behind a pooler that hands server connections around, a name
// must never mean what another session has prepared under it.
func newSession(generation uint64, server identity) *session {
	return &session{
		generation: generation, server: server,
		statements: map[statementKey]*prepared{},
		prefix:     "ss_" + strconv.FormatUint(rand.Uint64(), 36) + "_",
	}
}

func sessionOf(conn *pgconn.PgConn) *session { return conn.CustomData()[sessionKey].(*session) }

// find gives the statement whose text is sql, or nil. Only for a new statement is the text made a string.
func (s *session) find(sql []byte, role, searchPath string) *prepared {
	return s.touch(s.statements[statementKey{string(sql), role, searchPath}])
}

func (s *session) touch(p *prepared) *prepared {
	if p != nil {
		s.clock++
		p.used = s.clock
	}
	return p
}

// get finds a statement or makes a name for it. Where there are most statements already, or much text, those that were not
// used for longest make room.
func (s *session) get(key statementKey, most int) *prepared {
	if p := s.statements[key]; p != nil {
		return s.touch(p)
	}
	for len(s.statements) > 0 && (len(s.statements) >= most || s.bytes+len(key.sql) > mostText) {
		s.drop(s.oldest())
	}
	s.bytes += len(key.sql)
	s.named++
	p := &prepared{key: key, name: s.prefix + strconv.FormatUint(s.named, 36)}
	s.statements[key] = p
	return s.touch(p)
}

func (s *session) oldest() (oldest *prepared) {
	for _, p := range s.statements {
		if oldest == nil || p.used < oldest.used {
			oldest = p
		}
	}
	return oldest
}

// drop forgets a statement. The server forgets it with the next trip, so that what is under way can still use it.
func (s *session) drop(p *prepared) {
	if s.statements[p.key] == p {
		delete(s.statements, p.key)
		s.bytes -= len(p.key.sql)
		s.dead = append(s.dead, p.name)
	}
}

func (s *session) dropAll() {
	for _, p := range s.statements {
		s.drop(p)
	}
}

// report notes that the server tells of a parameter, whose value is as it was at the session's begin or another one. A
// function that sets one beyond its transaction, such as client_encoding or TimeZone, must not decide how the requests
// of others are read and answered.
func (s *session) report(name string, asBegun bool) {
	switch {
	case asBegun:
		delete(s.altered, name)
	case s.altered == nil:
		s.altered = map[string]struct{}{name: {}}
	default:
		s.altered[name] = struct{}{}
	}
}
