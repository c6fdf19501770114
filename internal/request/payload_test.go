package request_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// TestGoldenPayloads reads the bodies of testdata/payload/*.case. The first line
// of a case is the method, the target and the content type, the others are the
// lines of the body: verbatim after "| ", or as a Go string after "q ".
func TestGoldenPayloads(t *testing.T) { runFiles(t, "testdata/payload/*.case", payloadAnswer) }

func payloadAnswer(t *testing.T, asked []string) string {
	t.Helper()
	first := strings.Fields(strings.TrimPrefix(asked[0], "> "))
	contentType := strings.Join(first[2:], " ")
	p, err := write(t, first[0], first[1], contentType).ReadPayload(askedBody(t, asked[1:]))
	if err != nil {
		return dumpError(err)
	}
	return dumpPayload(p)
}

func askedBody(t *testing.T, asked []string) []byte {
	t.Helper()
	var lines []string
	for _, line := range asked {
		line = strings.TrimPrefix(line, "> ")
		if quoted, ok := strings.CutPrefix(line, "q "); ok {
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			lines = append(lines, text)
			continue
		}
		lines = append(lines, strings.TrimPrefix(line, "| "))
	}
	return []byte(strings.Join(lines, "\n"))
}

// dumpError is the answer to the client, and where the body is malformed.
func dumpError(err error) string {
	e := apierr.From(err)
	text := fmt.Sprintf("%d %s", e.HTTPStatus(), e.JSON(apierr.Verbose))
	if where, ok := errors.AsType[*request.BodyError](err); ok {
		text += "\n" + where.Error()
	}
	return text
}

func dumpPayload(p *request.Payload) string {
	if p == nil {
		return "none"
	}
	var b strings.Builder
	switch p.Kind {
	case request.JSONPayload:
		kind := "array"
		if p.Object {
			kind = "object"
		}
		fmt.Fprintf(&b, "%s of %d: %q", kind, p.Rows, p.JSON)
	case request.FormPayload:
		fmt.Fprintf(&b, "form %q", p.Fields)
	case request.RawPayload:
		fmt.Fprintf(&b, "raw %q", p.Raw)
	}
	if p.Columns != nil {
		fmt.Fprintf(&b, "\ncolumns %q", p.Columns)
	}
	return strings.ReplaceAll(b.String(), `\"`, `"`)
}

// PostgREST's clients compare the whole error: what is ours about it goes to the log alone.
func TestFaultsAreNotInTheEnvelope(t *testing.T) {
	_, err := write(t, "POST", "/items", "").ReadPayload([]byte("[{\"a\":1},\n {\"a\" 2}]"))
	where, ok := errors.AsType[*request.BodyError](err)
	if !ok || where.Line != 2 || where.Column != 7 || where.Offset != 16 {
		t.Fatalf("the fault is at %+v", where)
	}
	if e := apierr.From(err); e.Details != nil || e.Hint != "" || !strings.Contains(e.Error(), "line 2") {
		t.Errorf("envelope %s, log %s", e.JSON(apierr.Verbose), e)
	}
}

func TestDeepBodiesAreRefused(t *testing.T) {
	const most = 128
	nested := func(depth int, opening, closing string) []byte {
		return []byte(strings.Repeat(opening, depth) + "1" + strings.Repeat(closing, depth))
	}
	for _, target := range []string{"/items", "/items?columns=a", "/rpc/f"} {
		r := write(t, "POST", target, "")
		for _, body := range [][]byte{nested(most-1, `{"a":`, `}`), append(append([]byte(`[{"a":`), nested(most-2, "[", "]")...), "}]"...)} {
			if _, err := r.ReadPayload(body); err != nil {
				t.Errorf("%s: %v for a body at the limit", target, err)
			}
		}
		for _, body := range [][]byte{nested(most+1, `{"a":`, `}`), nested(1_000_000, "[", ""), append([]byte(`[{"a":`), nested(most-1, "[", "]")...)} {
			_, err := r.ReadPayload(body)
			if e := apierr.From(err); e == nil || e.Code != "SLIP103" || e.HTTPStatus() != 400 {
				t.Errorf("%s: %v for %.20s…", target, err, body)
			}
		}
	}
}

func TestLongFormsAreRefused(t *testing.T) {
	body := []byte(strings.Repeat("a=1&", 1<<16))
	for _, target := range []string{"/items", "/rpc/f"} {
		_, err := write(t, "POST", target, request.URLEncoded).ReadPayload(body)
		if e := apierr.From(err); e == nil || e.Code != "SLIP103" {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// Of an object with more keys than any relation has columns, enough are told to find one that does not exist.
func TestManyKeys(t *testing.T) {
	object := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%06d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	row := object(5000)
	for _, body := range []string{row, "[" + row + "," + row + "]", "[" + row + "," + object(2) + "]"} {
		p, err := write(t, "POST", "/items", "").ReadPayload([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Columns) != 4096 || p.Columns[4095] != "k004095" {
			t.Errorf("%d columns", len(p.Columns))
		}
	}
	if _, err := write(t, "POST", "/items", "").ReadPayload([]byte("[" + object(4096) + "," + row + "]")); err == nil {
		t.Error("a row with more keys than the first one is taken")
	}
	repeated := "{" + strings.Repeat(`"a":1,`, 10_000) + `"b":2}`
	p, err := write(t, "POST", "/items", "").ReadPayload([]byte("[" + repeated + `,{"b":1,"a":2}]`))
	if err != nil || len(p.Columns) != 2 {
		t.Errorf("%v, %+v for a key that is repeated", err, p)
	}
}

func TestChunksStopWhenToldTo(t *testing.T) {
	p := &request.Payload{JSON: []byte(`[ {"a":1} , {"a":2},{"a":3}]`), Rows: 3}
	var got []string
	for c := range p.Chunks(1) {
		if got = append(got, string(c.JSON)); c.First == 1 {
			break
		}
	}
	if fmt.Sprint(got) != `[{"a":1} {"a":2}]` {
		t.Errorf("%q", got)
	}
	for c := range (&request.Payload{JSON: []byte("[{"), Rows: -1}).Chunks(1) {
		t.Errorf("%q of a malformed array", c.JSON)
	}
}

func TestPayloadShapeTellsAllButValues(t *testing.T) {
	shape := func(target, contentType, body string) string {
		p, err := write(t, "POST", target, contentType).ReadPayload([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return string(p.AppendShape([]byte("x")))
	}
	different := []string{
		shape("/items", "", `{"a":1}`),
		shape("/items", "", `[{"a":1}]`),
		shape("/items", "", `{"b":1}`),
		shape("/items", "", `{"a":1,"b":1}`),
		shape("/items", "", `{"a\u0001b":1}`),
		shape("/rpc/f", "", ``),
		shape("/rpc/f", "", `{}`),
		shape("/rpc/f", request.TextPlain, `{}`),
		shape("/rpc/f", request.URLEncoded, `a=1&b=1`),
		shape("/rpc/f", request.URLEncoded, `b=1&a=1`),
		shape("/rpc/f", request.URLEncoded, `a=1&a=1&b=1`),
		string((*request.Payload)(nil).AppendShape([]byte("x"))),
	}
	seen := map[string]int{}
	for i, s := range different {
		if j, found := seen[s]; found || s[0] != 'x' {
			t.Errorf("payloads %d and %d have the shape %q", i, j, s)
		}
		seen[s] = i
	}
	if shape("/items", "", `{"a":1,"b":2}`) != shape("/items", request.URLEncoded, "b=x&a=y") {
		t.Error("values or their order are part of the shape")
	}
}
