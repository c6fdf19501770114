package request

import (
	"net/http"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// setSchema picks the schema by the profile header of the method
// (https://www.w3.org/TR/dx-prof-conneg/#http-getresourcebyprofile).
func (r *Request) setSchema(header http.Header, schemas []string) *apierr.Error {
	name := "Accept-Profile"
	switch r.Method {
	case "POST", "PATCH", "PUT", "DELETE":
		name = "Content-Profile"
	}
	if sent := header[name]; len(sent) > 0 {
		r.Schema, r.ProfileNegotiated = sent[0], true
		if !slices.Contains(schemas, r.Schema) {
			return &apierr.Error{
				Code:    "PGRST106",
				Message: "Invalid schema: " + r.Schema,
				Hint:    "Only the following schemas are exposed: " + strings.Join(schemas, ", "),
			}
		}
		return nil
	}
	if len(schemas) > 0 {
		r.Schema = schemas[0]
	}
	r.ProfileNegotiated = len(schemas) > 1
	return nil
}
