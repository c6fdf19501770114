package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// statement is SQL with its arguments; keyMark as an argument stands for the key.
type statement struct {
	sql  string
	args []string
}

// reference is what a request makes the database do.
type reference struct {
	// settings goes before main in its transaction; none when its sql is empty.
	settings statement
	main     statement
}

// readSchema loads what the planner has to know.
func readSchema(ctx context.Context, dsn string) (*schema.Snapshot, error) {
	conn, err := pg.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "begin isolation level repeatable read read only"); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	snapshot, err := schema.Load(ctx, conn, schema.Options{Schemas: []string{shop.Schema}, ExtraSearchPath: []string{"public"}})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return snapshot, nil
}

// newReference asks the planner for the statement of a scenario's requests. Before it goes what Slipstream sets for
// every request.
func newReference(snapshot *schema.Snapshot, s scenario) (reference, error) {
	u, err := url.Parse(s.path)
	if err != nil {
		return reference{}, err
	}
	req, err := request.Parse(s.verb(), u, s.header(), request.Settings{Schemas: []string{shop.Schema}})
	if err != nil {
		return reference{}, fmt.Errorf("parse %s: %w", s.path, err)
	}
	// The body goes through to an argument as it is; its key stands in quotes to be JSON meanwhile.
	if req.Payload, err = req.ReadPayload([]byte(strings.ReplaceAll(s.body, keyMark, `"`+keyMark+`"`))); err != nil {
		return reference{}, fmt.Errorf("read the body of %s: %w", s.name, err)
	}
	options := plan.Options{LegacyTargetNames: true}
	var read *plan.Read
	if s.writes() && req.Target == request.Relation {
		var write *plan.Write
		if write, err = plan.NewWrite(snapshot, req, options); err == nil {
			read = &write.Read
		}
	} else {
		read, err = plan.New(snapshot, req, options)
	}
	if err != nil {
		return reference{}, fmt.Errorf("plan %s: %w", s.path, err)
	}
	r := reference{main: statement{sql: read.SQL}}
	for _, arg := range read.Bind(nil, req, options, nil) {
		r.main.args = append(r.main.args, strings.ReplaceAll(string(arg), `"`+keyMark+`"`, keyMark))
	}
	r.settings = s.settings(u.EscapedPath())
	return r, nil
}

// settings is what Slipstream sets in the transaction of a request.
func (s scenario) settings(path string) statement {
	role, claims := shop.AnonRole, []string{`{"role":"`, shop.AnonRole, `"}`}
	if s.asCustomer {
		before, after := claimsAround()
		role, claims = shop.CustomerRole, []string{before, keyMark, after}
	}
	readOnly := "set_config('transaction_read_only', 'on', true), "
	if s.writes() {
		readOnly = ""
	}
	headers := `{"host":"127.0.0.1:3000"`
	for name, values := range s.header() {
		headers += `,"` + strings.ToLower(name) + `":"` + values[0] + `"`
	}
	return statement{
		sql: "select " + readOnly + "set_config('search_path', $1, true), set_config('role', $2, true), " +
			"set_config('request.jwt.claims', $3::text || $4::text || $5::text, true), " +
			"set_config('request.method', '" + s.verb() + "', true), set_config('request.path', $6, true), " +
			"set_config('request.headers', $7, true), set_config('request.cookies', '{}', true)",
		args: append(append([]string{shop.Schema + ", public", role}, claims...), path, headers+"}"),
	}
}

// bare leaves the settings out; only where no rows depend on them.
func (r reference) bare() reference { return reference{main: r.main} }

// pgbenchScript is a reference in pgbench's terms: a script, and the variables that it uses besides :key.
type pgbenchScript struct {
	text      string
	constants []string
}

// script makes pgbench run the reference with a random key each time.
func (r reference) script(keys keyRange) (pgbenchScript, error) {
	var s pgbenchScript
	s.text = fmt.Sprintf("\\set key random(%d, %d)\n", keys.low, keys.high)
	err := s.transaction(r.settings, r.main)
	return s, err
}

// transaction adds statements that run in one transaction and one round trip.
func (s *pgbenchScript) transaction(settings, main statement) error {
	text, err := s.render(main)
	if err != nil {
		return err
	}
	if settings.sql != "" {
		before, err := s.render(settings)
		if err != nil {
			return err
		}
		// Without BEGIN, what is in a pipeline is one transaction, as in Slipstream.
		text = "\\startpipeline\n" + before + text + "\\endpipeline\n"
	}
	s.text += text
	return nil
}

var (
	parameter = regexp.MustCompile(`\$[0-9]+`)
	// pgbench knows no quotes: it takes every colon before a word for a variable, save in "::".
	accidental = regexp.MustCompile(`(^|[^:]):[A-Za-z0-9_]`)
)

// render turns $1, $2 … into variables.
func (s *pgbenchScript) render(st statement) (string, error) {
	if accidental.MatchString(st.sql) || strings.ContainsAny(st.sql, "\\;") {
		return "", fmt.Errorf("pgbench would misread %s", st.sql)
	}
	var unknown error
	text := parameter.ReplaceAllStringFunc(st.sql, func(p string) string {
		n, err := strconv.Atoi(p[1:])
		if err != nil || n < 1 || n > len(st.args) {
			unknown = fmt.Errorf("no argument for %s in %s", p, st.sql)
			return p
		}
		return s.variable(st.args[n-1])
	})
	return text + ";\n", unknown
}

func (s *pgbenchScript) variable(arg string) string {
	if arg == keyMark {
		return ":key"
	}
	if before, after, ok := strings.Cut(arg, keyMark); ok { // in JSON or an array, which the statement casts it to
		return "(" + s.variable(before) + "::text || :key::text || " + s.variable(after) + "::text)"
	}
	s.constants = append(s.constants, arg)
	return ":v" + strconv.Itoa(len(s.constants))
}
