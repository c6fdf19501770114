package idemkey

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// MaxBody is the size of the largest body that is kept, in bytes.
const MaxBody = 1 << 20

// What a write is told by the functions.
var (
	// ErrDone means that the request was answered before: Load has the answer.
	ErrDone = errors.New("the request was answered before")
	// ErrInFlight means that another request with the key is under way.
	ErrInFlight = errors.New("a request with the key is under way")
	// ErrOther means that the key was used for another request.
	ErrOther = errors.New("the key was used for another request")
)

// Answer is what is given again.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// TooLarge is true where the body was larger than MaxBody, and is not kept.
	TooLarge bool
}

// Begin is the statement that a write begins with.
func Begin(s Scope, f Fingerprint) pg.Statement {
	return pg.Statement{
		SQL:  "select slipstream.idempotency_begin($1, $2)",
		Args: [][]byte{bytea(s[:]), bytea(f[:])},
	}
}

// Store is the statement that keeps the answer of a write, right before its COMMIT.
func Store(s Scope, f Fingerprint, a Answer) pg.Statement {
	header, err := json.Marshal(a.Header)
	if err != nil {
		header = []byte("{}") // texts can always be rendered
	}
	var body []byte
	if len(a.Body) <= MaxBody {
		body = bytea(a.Body)
	}
	return pg.Statement{
		SQL:  "select slipstream.idempotency_store($1, $2, $3, $4, $5)",
		Args: [][]byte{bytea(s[:]), bytea(f[:]), strconv.AppendInt(nil, int64(a.Status), 10), header, body},
	}
}

// Refusal turns what a write that was guarded by Begin and Store gives into ErrDone, ErrInFlight or ErrOther. Other
// errors stay as they are.
func Refusal(err error) error {
	var guard *pg.GuardError
	if !errors.As(err, &guard) {
		return err
	}
	switch guard.Err.Code {
	case "SI200":
		return ErrDone
	case "SI409", "40001": // serialization_failure: another one has stored its answer since this one looked
		return ErrInFlight
	case "SI422":
		return ErrOther
	case "42883", "42P01", "42501", "3F000": // the client is not told 404 because of our functions
		return fmt.Errorf("idempotency keys are not installed any more: %w", err)
	}
	return guard.Err
}

// Load reads an answer, and gives nil where there is none any more. Errors are those of pg.DB.Read.
func Load(ctx context.Context, db *pg.DB, s Scope, f Fingerprint) (*Answer, error) {
	var found loader
	// "none" is the login role itself.
	err := db.Read(ctx, &pg.Tx{Role: "none"}, []pg.Statement{{
		SQL:     "select status, headers, body from slipstream.idempotency_answer($1, $2)",
		Args:    [][]byte{bytea(s[:]), bytea(f[:])},
		Formats: []int16{0, 0, 1},
	}}, &found)
	if err != nil {
		return nil, err
	}
	return found.answer, nil
}

// loader is the pg.Sink of Load.
type loader struct{ answer *Answer }

func (l *loader) Columns(int, []string) error { return nil }

func (l *loader) Row(_ int, values [][]byte) (err error) {
	a := &Answer{Body: append([]byte(nil), values[2]...), TooLarge: values[2] == nil}
	if a.Status, err = strconv.Atoi(string(values[0])); err != nil {
		return fmt.Errorf("read a stored status: %w", err)
	}
	if err := json.Unmarshal(values[1], &a.Header); err != nil {
		return fmt.Errorf("read stored headers: %w", err)
	}
	l.answer = a
	return nil
}

func (l *loader) Restart() bool {
	l.answer = nil
	return true
}

// bytea is PostgreSQL's text form of bytes.
func bytea(b []byte) []byte {
	return hex.AppendEncode([]byte(`\x`), b)
}
