package openapi

import (
	"fmt"
	"iter"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// Description is what a document is made of. Access.Filter begins one; the rest, from Server on, is the
// caller's to fill in.
type Description struct {
	Snapshot *schema.Snapshot
	// Schema is the one that is described.
	Schema string
	// Relations and Functions in the order of their names; overloads follow each other.
	Relations []*schema.Relation
	Functions []*schema.Function
	// Comment is the schema's: its first line is the title, the rest the description.
	Comment string
	// TypeNames are what parameters' types are called in place of their full names.
	TypeNames map[string]string
	Server    Server
	// SecurityActive adds the bearer token (openapi-security-active).
	SecurityActive bool
	// Profile is true when the schema is not the default one: requests have to name it, which 3.1 says.
	Profile bool
	// Version of the server.
	Version string
}

// Server is where the API is reached.
type Server struct {
	Scheme string // http or https
	Host   string // without port
	Port   int
	// BasePath begins with a slash.
	BasePath string
}

// ServerAt is the server at a listening address or, where proxy is not empty, behind that URI
// (openapi-server-proxy-uri). host may be one of the names for every address: *, *4, !4, *6, !6.
func ServerAt(host string, port int, proxy string) (Server, error) {
	if proxy == "" {
		switch host {
		case "*", "*4", "!4", "*6", "!6":
			host = "0.0.0.0"
		}
		return Server{Scheme: "http", Host: host, Port: port, BasePath: "/"}, nil
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return Server{}, fmt.Errorf("read openapi-server-proxy-uri: %w", err)
	}
	s := Server{Scheme: strings.ToLower(u.Scheme), Host: u.Hostname(), BasePath: u.EscapedPath()}
	if s.Port = s.defaultPort(); u.Port() != "" {
		s.Port, _ = strconv.Atoi(u.Port()) // url.Parse lets digits through only
	}
	if s.BasePath == "" {
		s.BasePath = "/"
	}
	return s, nil
}

func (s Server) defaultPort() int {
	if s.Scheme == "https" {
		return 443
	}
	return 80
}

// address is host and port, the port always named, as PostgREST does.
func (s Server) address() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

// url is the address clients use, without what is implied and without a slash at its end.
func (s Server) url() string {
	host := s.address()
	if s.Port == s.defaultPort() {
		host = strings.TrimSuffix(host, ":"+strconv.Itoa(s.Port))
	}
	return s.Scheme + "://" + host + strings.TrimSuffix(s.BasePath, "/")
}

// room is an empty buffer for a document that takes about so many bytes for a column: growing it by and by would cost
// several times the memory.
func (d *Description) room(perColumn int) []byte {
	columns := 20 * len(d.Functions)
	for _, r := range d.Relations {
		columns += 5 + len(r.Columns)
	}
	return make([]byte, 0, 16<<10+perColumn*columns)
}

// docsURL explains the API; it is PostgREST's, whose dialect is spoken.
const docsURL = "https://postgrest.org/en/v16/references/api.html"

// summary takes a comment's first line for the summary, and the rest, less blank lines at its beginning, for the
// description.
func summary(comment string) (first, rest string) {
	first, rest, _ = strings.Cut(comment, "\n")
	return first, strings.TrimLeft(rest, "\n")
}

// heading tags an operation and splits its comment.
func (w *writer) heading(tag, comment string) {
	w.strings("tags", tag)
	if comment != "" {
		first, rest := summary(comment)
		w.field("summary", first)
		w.optional("description", rest)
	}
}

// overloads are the functions of each name.
func (d *Description) overloads() iter.Seq2[string, []*schema.Function] {
	return func(yield func(string, []*schema.Function) bool) {
		for rest := d.Functions; len(rest) > 0; {
			name, n := rest[0].Name.Name, 1
			for n < len(rest) && rest[n].Name.Name == name {
				n++
			}
			if !yield(name, rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// paramType is what a parameter's type is called where the caller calls.
func (d *Description) paramType(p *schema.Param) string {
	element, array := strings.CutSuffix(p.Type, "[]")
	short, ok := d.TypeNames[element]
	switch {
	case !ok:
		return p.Type
	case array:
		return short + "[]"
	}
	return short
}
