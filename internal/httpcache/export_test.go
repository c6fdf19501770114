package httpcache

import (
	"net/http/httptest"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
)

// EncodedAnswer is an answer as other processes get it.
func EncodedAnswer(body string, name string, values ...string) []byte {
	a := &answer{status: 200, fields: []field{{name, values}}, vary: []string{"Accept"}}
	a.setBody([]byte(body), "")
	return a.encode()
}

// ServeEncoded serves what another process has encoded, if it is an answer.
func ServeEncoded(_ testing.TB, b []byte) {
	v, err := decodeAnswer(b)
	if err != nil {
		return
	}
	a := v.(*answer)
	a.serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), nil, &auth.Caller{})
	_ = a.Size()
}
