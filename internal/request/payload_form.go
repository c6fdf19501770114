package request

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// maxFields is how many fields a form may have.
const maxFields = 1 << 16

// readForm reads the arguments of a function.
func readForm(body []byte) (*Payload, *apierr.Error) {
	fields, err := splitForm(body)
	if err != nil {
		return nil, err
	}
	return &Payload{Kind: FormPayload, Fields: fields, Columns: namesOf(fields)}, nil
}

// readFormRow reads a row whose values are texts. Of several fields with one name the last counts.
func readFormRow(body []byte) (*Payload, *apierr.Error) {
	fields, err := splitForm(body)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(fields, func(a, b FormField) int { return strings.Compare(a.Name, b.Name) })
	text := make([]byte, 0, len(body)+16*len(fields)+2)
	text = append(text, '{')
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].Name == f.Name {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(appendJSONText(append(text, '"'), []byte(f.Name)), `":"`...)
		text = append(appendJSONText(text, []byte(f.Value)), '"')
	}
	text = append(text, '}')
	return &Payload{JSON: text, Object: true, Rows: 1, Columns: namesOf(fields)}, nil
}

// splitForm splits and decodes a form. A field without an equals sign has an empty value.
func splitForm(body []byte) ([]FormField, *apierr.Error) {
	if bytes.Count(body, []byte{'&'})+bytes.Count(body, []byte{';'}) >= maxFields {
		return nil, &apierr.Error{
			Code:    "SLIP103",
			Message: "The form is too long",
			Details: fmt.Sprintf("More than %d fields", maxFields),
		}
	}
	var fields []FormField
	for part := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		name, err := decodeText(name)
		if err != nil {
			return nil, err
		}
		if value, err = decodeText(value); err != nil {
			return nil, err
		}
		fields = append(fields, FormField{name, value})
	}
	return fields, nil
}

// namesOf gives the names of fields in their order, each once.
func namesOf(fields []FormField) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
