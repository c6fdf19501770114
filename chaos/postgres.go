package chaos

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"sync"
)

// session follows PostgreSQL's protocol on a connection, as far as it is needed to tell messages apart ("Frontend/Backend
// Protocol", Message Formats). Nothing is changed, and what cannot be read is passed on as it is.
type session struct {
	conn *conn

	mu         sync.Mutex
	questions  int               // SSLRequest and GSSENCRequest that are not answered
	opaque     bool              // encrypted
	statements map[string]string // by name of a prepared statement: how its SQL begins
	portals    map[string]string // by name of a portal: how its SQL begins
}

// message is one of PostgreSQL's.
type message struct {
	kind     string
	sql, tag string // how they begin, if the kind has them
}

// Codes in place of a protocol version.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104
)

const (
	header = 5 // the type and the length, which counts itself and the content
	// contentMost is how far into a message's content is looked, for names, tags and how SQL begins.
	contentMost = 4 << 10
	tlsRecord   = 0x16
)

func newSession(c *conn) *session {
	return &session{conn: c, statements: map[string]string{}, portals: map[string]string{}}
}

// frontend reads what a client sends.
func (s *session) frontend(from io.Reader, to *pipe) error {
	r := newRelay(from, to)
	for started := false; !started; {
		head, err := r.peek(1)
		if err == nil && head[0] == tlsRecord {
			return s.unreadable(r, "it is encrypted; connect with sslmode=disable to have faults at messages")
		}
		if head, err = r.peek(8); err != nil { //nolint:mnd // a length and a code
			return r.end(err)
		}
		length, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		if length < 8 || length > lookahead {
			return s.unreadable(r, "it does not begin as one of PostgreSQL does")
		}
		if started, err = s.startup(r, int64(length), code); err != nil {
			return r.end(err)
		}
	}
	return s.messages(r, frontendKinds, s.see)
}

// startup passes on a message that has no type, and tells whether ordinary ones follow.
func (s *session) startup(r *relay, length int64, code uint32) (bool, error) {
	switch code {
	case cancelRequest:
		return false, s.step(r, message{kind: "CancelRequest"}, length)
	case sslRequest, gssRequest:
		s.mu.Lock()
		s.questions++
		s.mu.Unlock()
		kind := "SSLRequest"
		if code == gssRequest {
			kind = "GSSENCRequest"
		}
		return false, s.step(r, message{kind: kind}, length)
	}
	return true, s.step(r, message{kind: "StartupMessage"}, length)
}

// backend reads what the server sends.
func (s *session) backend(from io.Reader, to *pipe) error {
	r := newRelay(from, to)
	for {
		answer, err := r.peek(1)
		if err != nil {
			return r.end(err)
		}
		s.mu.Lock()
		asked := s.questions > 0
		if asked {
			s.questions--
			s.opaque = answer[0] == 'S' || answer[0] == 'G'
		}
		opaque := s.opaque
		s.mu.Unlock()
		switch {
		case opaque:
			return s.unreadable(r, "it is encrypted; connect with sslmode=disable to have faults at messages")
		case !asked || answer[0] != 'N':
			return s.messages(r, backendKinds, func(m *message, content []byte) {
				if m.kind == "CommandComplete" {
					m.tag = text(content)
				}
			})
		}
		if err := r.pass(1); err != nil {
			return r.end(err)
		}
	}
}

// messages reads messages with a type until there are no more.
func (s *session) messages(r *relay, kinds map[byte]string, see func(*message, []byte)) error {
	for {
		head, err := r.peek(header)
		if err != nil {
			return r.end(err)
		}
		length := int64(binary.BigEndian.Uint32(head[1:]))
		m := message{kind: kinds[head[0]]}
		if m.kind == "" || length < header-1 {
			return s.unreadable(r, "there is something in it that is no message of PostgreSQL")
		}
		if looksInside[m.kind] {
			content, err := r.peek(int(min(length+1, contentMost)))
			if err != nil {
				return r.end(err)
			}
			see(&m, content[header:])
		}
		if err := s.step(r, m, 1+length); err != nil {
			return r.end(err)
		}
	}
}

// step passes a message on, and has the faults before and after it happen.
func (s *session) step(r *relay, m message, length int64) error {
	at := s.chosen(r.to.flow, m)
	for _, fault := range at {
		if p := fault.point(); p.Before != "" {
			if err := r.fire(fault, "before "+m.String()); err != nil {
				return err
			}
		}
	}
	if err := r.pass(length); err != nil {
		return err
	}
	for _, fault := range at {
		if p := fault.point(); p.After != "" {
			if err := r.fire(fault, "after "+m.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// chosen gives the faults whose point is this message.
func (s *session) chosen(flow Direction, m message) []*meeting {
	var chosen []*meeting
	for _, fault := range s.conn.meetings() {
		p := fault.point()
		if p == nil || p.message() != m.kind || !begins(m.sql, p.SQL) || !begins(m.tag, p.Tag) {
			continue
		}
		if explicit := fault.Direction; copies[m.kind] && explicit != Default && !explicit.has(flow) {
			continue
		}
		if fault.chosen(flow, p.Nth) {
			chosen = append(chosen, fault)
		}
	}
	return chosen
}

func begins(text, with string) bool {
	return len(text) >= len(with) && strings.EqualFold(text[:len(with)], with)
}

func (m message) String() string {
	if m.tag != "" {
		return m.kind + " " + m.tag
	}
	const enough = 40
	if sql := m.sql; sql != "" {
		return m.kind + " " + strings.ToValidUTF8(sql[:min(len(sql), enough)], "")
	}
	return m.kind
}

// unreadable passes on what follows; faults at messages do not happen any more, which somebody may want to know.
func (s *session) unreadable(r *relay, why string) error {
	s.mu.Lock()
	s.opaque = true
	s.mu.Unlock()
	s.conn.unreadable(why)
	return r.rest()
}

// see finds the SQL that a client's message is about.
func (s *session) see(m *message, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.kind {
	case "Query":
		m.sql = strings.TrimLeft(text(content), " \t\r\n")
	case "Parse":
		name, rest := cutText(content)
		m.sql = strings.TrimLeft(text(rest), " \t\r\n")
		s.statements[name] = strings.Clone(m.sql[:min(len(m.sql), sqlMost)])
	case "Bind":
		portal, rest := cutText(content)
		m.sql = s.statements[text(rest)]
		s.portals[portal] = m.sql
	case "Execute":
		m.sql = s.portals[text(content)]
	case "Describe", "Close":
		s.seeNamed(m, content)
	}
}

// sqlMost is how much is kept of a prepared statement's SQL.
const sqlMost = 256

// seeNamed is for messages that name a statement or a portal.
func (s *session) seeNamed(m *message, content []byte) {
	if len(content) == 0 {
		return
	}
	named, name := s.portals, text(content[1:])
	if content[0] == 'S' {
		named = s.statements
	}
	m.sql = named[name]
	if m.kind == "Close" {
		delete(named, name)
	}
}

// text is what stands before the next zero byte.
func text(b []byte) string {
	s, _ := cutText(b)
	return s
}

func cutText(b []byte) (string, []byte) {
	before, after, _ := bytes.Cut(b, []byte{0})
	return string(before), after
}
