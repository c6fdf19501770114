package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// A cursor is base64url of: a version, a direction, the key's values (each its length plus one, or 0 for NULL, then
// its bytes), and a MAC over all of that and the order that the key belongs to.
const (
	cursorVersion  = 1
	cursorForward  = 'n'
	cursorBackward = 'p'
	cursorMAC      = 16 // bytes of HMAC-SHA256 that are kept
)

var errCursor = &apierr.Error{
	Code: "SLIP100", Message: "The cursor is not valid for this request",
	Hint: "Use the URLs of the Link headers as they are, or begin again without cursor=",
}

// encodeCursor makes the cursor of a key in an order.
func encodeCursor(secret []byte, order string, backward bool, key []*string) string {
	b := []byte{cursorVersion, cursorForward}
	if backward {
		b[1] = cursorBackward
	}
	for _, v := range key {
		if v == nil {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(*v))+1)
		b = append(b, *v...)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, cursorSum(secret, order, b)...))
}

func cursorSum(secret []byte, order string, payload []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(binary.AppendUvarint(nil, uint64(len(order))))
	mac.Write([]byte(order))
	mac.Write(payload)
	return mac.Sum(nil)[:cursorMAC]
}

// decodeCursor checks a cursor and gives its key, nil for NULL.
func decodeCursor(secret []byte, order, cursor string, terms int) ([][]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 2+cursorMAC {
		return nil, errCursor
	}
	payload, sum := raw[:len(raw)-cursorMAC], raw[len(raw)-cursorMAC:]
	if !hmac.Equal(sum, cursorSum(secret, order, payload)) || payload[0] != cursorVersion {
		return nil, errCursor
	}
	key, err := splitKey(payload[2:])
	if err != nil || len(key) != terms {
		return nil, errCursor
	}
	return key, nil
}

// splitKey takes the values of a cursor apart.
func splitKey(payload []byte) ([][]byte, error) {
	var key [][]byte
	for rest := payload; len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size)+1 {
			return nil, errCursor
		}
		rest = rest[size:]
		if n == 0 {
			key = append(key, nil)
			continue
		}
		key = append(key, rest[:n-1:n-1])
		rest = rest[n-1:]
	}
	return key, nil
}

// readCursor looks at what the plan depends on: the direction of the request's cursor, and which of its values are
// NULL. The MAC is checked later, when the plan has told the order.
func (x *exchange) readCursor() error {
	q := &x.req.Query
	if q.Cursor == "" && x.req.Prefer.Pagination == "" || x.req.Target != request.Relation {
		return nil
	}
	if len(x.options.CursorSecret) == 0 {
		return &apierr.Error{
			Code: "SLIP100", Message: "Cursor pages are not configured",
			Hint: "Set cursor-secret (or a shared jwt-secret, from which it is derived)",
		}
	}
	if q.Cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || len(raw) < 2+cursorMAC {
		return errCursor
	}
	q.CursorBackward = raw[1] == cursorBackward
	key, err := splitKey(raw[2 : len(raw)-cursorMAC])
	for i, v := range key {
		if v == nil && i < 63 {
			q.CursorNulls |= 1 << i
		}
	}
	return err
}

// cursorKey is the checked key of the request's cursor.
func (x *exchange) cursorKey(p *planned) ([][]byte, error) {
	if p.Keyset == nil || x.req.Query.Cursor == "" {
		return nil, nil
	}
	return decodeCursor(x.options.CursorSecret, p.Keyset.Order, x.req.Query.Cursor, len(p.Keyset.Columns))
}

// explainKeyset tells whether a refused cursor page was refused for the key's columns, which the client may not have
// asked for itself.
func (x *exchange) explainKeyset(p *planned, err error) error {
	var refused *pg.Error
	if p.Keyset == nil || !errors.As(err, &refused) || refused.Code != "42501" {
		return err
	}
	check := &columnCheck{}
	name := plan.QuoteName(p.Keyset.Relation)
	statements := make([]pg.Statement, len(p.Keyset.Columns))
	for i, c := range p.Keyset.Columns {
		statements[i] = pg.Statement{
			SQL:  "select has_column_privilege($1::text::regclass, $2::text, 'select')",
			Args: [][]byte{[]byte(name), []byte(c)},
		}
	}
	if x.db.Read(x.r.Context(), &x.tx, statements, check) != nil {
		return err
	}
	var hidden []string
	for i, c := range p.Keyset.Columns {
		if i < len(check.allowed) && !check.allowed[i] {
			hidden = append(hidden, "'"+c+"'")
		}
	}
	if len(hidden) == 0 {
		return err
	}
	return &apierr.Error{
		Code:    "SLIP100",
		Message: "Cursor pages need to read " + strings.Join(hidden, ", ") + " of '" + p.Keyset.Relation.Name + "', which the role may not",
		Hint:    "Grant SELECT on the key columns, order by a unique key that may be read, or use limit and offset",
	}
}

// columnCheck collects one boolean a statement.
type columnCheck struct{ allowed []bool }

func (c *columnCheck) Columns(int, []string) error { return nil }

func (c *columnCheck) Restart() bool {
	c.allowed = nil
	return true
}

func (c *columnCheck) Row(_ int, values [][]byte) error {
	c.allowed = append(c.allowed, string(values[0]) == "t")
	return nil
}
