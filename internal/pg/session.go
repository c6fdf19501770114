package pg

import (
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// session is what is known of one connection: its prepared statements.
type session struct {
	statements map[statementKey]*prepared
	clock      uint64 // counts uses, to find the statement that was not used for longest
	named      uint64
	dead       []string // names to deallocate with the next preparation
}

// statementKey tells prepared statements apart. The role and the search path are part of it: a plan made for one role
// must not serve another under row level security (CVE-2024-10976), and names resolve by the search path.
type statementKey struct{ sql, role, searchPath string }

type prepared struct {
	name        string
	description *pgconn.StatementDescription // nil until the server has accepted it
	sent        bool                         // to the server, in this trip or before
	used        uint64
}

const sessionKey = "slipstream.session"

func sessionOf(conn *pgconn.PgConn) *session {
	data := conn.CustomData()
	s, ok := data[sessionKey].(*session)
	if !ok {
		s = &session{statements: map[statementKey]*prepared{}}
		data[sessionKey] = s
	}
	return s
}

// get finds a statement or makes a name for it.
func (s *session) get(key statementKey) *prepared {
	s.clock++
	p, ok := s.statements[key]
	if !ok {
		s.named++
		p = &prepared{name: "ss" + strconv.FormatUint(s.named, 10)}
		s.statements[key] = p
	}
	p.used = s.clock
	return p
}

// forget drops a statement that the server did not accept or that no longer fits the catalog.
func (s *session) forget(key statementKey) {
	if p, ok := s.statements[key]; ok {
		s.drop(key, p)
	}
}

func (s *session) drop(key statementKey, p *prepared) {
	delete(s.statements, key)
	if p.description != nil {
		s.dead = append(s.dead, p.name)
	}
}

// evict gives the names of the statements to deallocate: the dropped ones, and in a session with more than most
// statements the one that was not used for longest.
func (s *session) evict(most int) []string {
	if len(s.statements) > most {
		var oldest statementKey
		least := s.clock + 1
		for k, p := range s.statements {
			if p.used < least {
				least, oldest = p.used, k
			}
		}
		s.drop(oldest, s.statements[oldest])
	}
	dead := s.dead
	s.dead = nil
	return dead
}
