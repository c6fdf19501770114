package request_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/request"
)

// bodies are what clients typically write.
var bodies = []struct {
	name        string
	contentType string
	body        []byte
	// allocations is the most that reading may allocate, whatever the number of rows.
	allocations int
}{
	{"object", "application/json", []byte(`{"id":1,"name":"Lamp","price":19.90,"category_id":7,"tags":["a","b"]}`), 5},
	{"rows", "application/json", jsonOf(1000, `{"id":%d,"name":"Lamp, green","price":19.90,"category_id":7,"note":null,"active":true}`), 6},
	{"spaced", "application/json", jsonOf(1000, "\n  {\n    \"id\": %d,\n    \"name\": \"Lamp, green\",\n    \"price\": 19.90,\n    \"active\": true\n  }"), 6},
	{"text", "application/json", jsonOf(1000, `{"id":%d,"body":"`+strings.Repeat("The quick brown fox jumps. ", 40)+`"}`), 6},
	{"unicode", "application/json", jsonOf(1000, `{"id":%d,"body":"`+strings.Repeat("Съешь ещё этих мягких булок. ", 20)+`"}`), 6},
	{"csv", "text/csv", csvOf(1000), 24},
	{"form", "application/x-www-form-urlencoded", []byte("id=1&name=Lamp%2C+green&price=19.90"), 10},
}

func jsonOf(rows int, format string) []byte {
	var b bytes.Buffer
	for i := range rows {
		b.WriteByte("[,"[min(i, 1)])
		fmt.Fprintf(&b, format, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func csvOf(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("id,name,price,note\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,\"Lamp, green\",19.90,NULL\n", i)
	}
	return b.Bytes()
}

// write is a request with a body of that type.
func write(tb testing.TB, method, target, contentType string) *request.Request {
	tb.Helper()
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	r, err := request.Parse(method, parseURL(tb, target), header, settings)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestReadPayloadStaysWithinItsAllocations(t *testing.T) {
	for _, b := range bodies {
		r := write(t, "POST", "/items", b.contentType)
		got := testing.AllocsPerRun(20, func() {
			if _, err := r.ReadPayload(b.body); err != nil {
				t.Fatal(err)
			}
		})
		if int(got) > b.allocations {
			t.Errorf("%s: %v allocations, at most %d allowed", b.name, got, b.allocations)
		}
	}
}

func BenchmarkReadPayload(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			r := write(b, "POST", "/items", body.contentType)
			b.SetBytes(int64(len(body.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.ReadPayload(body.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The yardstick: encoding/json only tells whether the text is well-formed.
func BenchmarkJSONValid(b *testing.B) {
	for _, body := range bodies {
		if body.contentType != "application/json" {
			continue
		}
		b.Run(body.name, func(b *testing.B) {
			b.SetBytes(int64(len(body.body)))
			for b.Loop() {
				if !json.Valid(body.body) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkChunks(b *testing.B) {
	p := &request.Payload{JSON: bodies[1].body, Rows: 1000}
	b.SetBytes(int64(len(p.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		for c := range p.Chunks(16 << 10) {
			rows += c.Rows
		}
		if rows != p.Rows {
			b.Fatal(rows)
		}
	}
}
