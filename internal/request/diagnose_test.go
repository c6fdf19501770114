package request_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
)

// What a long malformed text should have been is not worked out: that took a hundred milliseconds for 30 KB.
func TestLongMalformedTexts(t *testing.T) {
	for query, want := range map[string][2]string{
		"select=" + strings.Repeat("a-", 1000) + "!":   {`"failed to parse select parameter (`, ""},
		"select=" + strings.Repeat("abc,", 1000) + "(": {`"failed to parse select parameter" (near byte 4001 of 4001)`, `unexpected "("`},
		"order=" + strings.Repeat("abc,", 1000):        {`"failed to parse order" (near byte 4001 of 4000)`, "unexpected end of input"},
		"a=in.(" + strings.Repeat("1,", 20000):         {`"failed to parse filter" (near byte`, ""},
		strings.Repeat("a.", 2000) + "!=eq.1":          {`"failed to parse tree path" (near byte 4001 of 4001)`, `unexpected "!"`},
		"or=(" + strings.Repeat("a.eq.é,", 400):        {`"failed to parse logic tree" (near byte`, ""},
	} {
		_, err := request.Parse("GET", &url.URL{Path: "/t", RawQuery: query}, http.Header{}, request.Settings{Schemas: []string{"api"}})
		e := apierr.From(err)
		if e == nil || e.Code != "PGRST100" || !strings.HasPrefix(e.Message, want[0]) || want[1] != "" && e.Details != want[1] {
			t.Errorf("%.20s…: %v, want %q", query, err, want)
			if e != nil {
				t.Log(e.Details)
			}
		}
	}
}
