package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// customize applies what functions left in response.status and response.headers
// (https://postgrest.org/en/stable/references/transactions.html#response-headers).
func (a *answer) customize(h *head) (err error) {
	if len(a.headers) > 0 {
		if h.custom, err = parseHeaders(a.headers); err != nil {
			return err
		}
	}
	if len(a.status) > 0 {
		h.status, err = parseStatus(string(a.status))
	}
	return err
}

// takeCustom keeps what functions left, nil where they left nothing.
func (a *answer) takeCustom(headers, status []byte) {
	a.headers = append(a.headers[:0], headers...)
	a.status = append(a.status[:0], status...)
	if (headers != nil || status != nil) && !a.customizes.Load() {
		a.customizes.Store(true)
	}
}

// parseStatus reads the digits at the beginning, as PostgREST does. What is not a final status (RFC 9110, section 15)
// cannot be sent.
func parseStatus(text string) (int, error) {
	n, err := strconv.Atoi(text[:len(text)-len(strings.TrimLeft(text, "0123456789"))])
	if err != nil || n < 200 || n > 999 {
		return 0, apierr.New("PGRST112", "response.status guc must be a valid status code")
	}
	return n, nil
}

// parseHeaders reads [{"Name": "value"}, …]. Several objects may have the same name. Names come out in canonical form.
func parseHeaders(text []byte) ([][2]string, error) {
	refuse := func(details any) error {
		return &apierr.Error{
			Code:    "PGRST111",
			Message: "response.headers guc must be a JSON array composed of objects with a single key and a string value",
			Details: details,
		}
	}
	var list []map[string]*string
	if json.Unmarshal(text, &list) != nil || list == nil {
		return nil, refuse(nil)
	}
	out := make([][2]string, 0, len(list))
	for _, object := range list {
		if len(object) != 1 {
			return nil, refuse(nil)
		}
		for name, value := range object {
			if value == nil {
				return nil, refuse(nil)
			}
			if problem := headerProblem(name, *value); problem != "" {
				return nil, refuse(problem)
			}
			out = append(out, [2]string{http.CanonicalHeaderKey(name), *value})
		}
	}
	return out, nil
}

// headerProblem says why a function may not set a header, or nothing. A line break would start another header, or the
// body; how long the body is and what becomes of the connection is for the server alone to say (RFC 9112, section 11).
func headerProblem(name, value string) string {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return "A header's name cannot have the character " + strconv.QuoteToASCII(name[i:i+1])
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "The value of the header '" + name + "' cannot have the character " + strconv.QuoteToASCII(value[i:i+1])
		}
	}
	switch http.CanonicalHeaderKey(name) {
	case "":
		return "A header's name cannot be empty"
	case "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return "The header '" + name + "' is the server's own"
	}
	return ""
}
