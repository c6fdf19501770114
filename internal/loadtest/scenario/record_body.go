package scenario

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

var (
	errBody   = errors.New("with a body that is neither JSON, nor a form, nor a short text")
	errNoJSON = errors.New("with a body that should be JSON and is not")
)

// longestText is the longest body, in bytes, that is recorded as it is. It cannot vary.
const longestText = 16 << 10

// takeBody takes the values out of a body.
func (r *recorder) takeBody(m *mould, table, bodyType, body string) error {
	switch bodyEscape(bodyType) {
	case asJSON:
		return r.takeJSON(m, table, body)
	case inURL:
		return r.takeForm(m, table, body)
	}
	if strings.HasPrefix(bodyType, "multipart/") || len(body) > longestText || r.secretIn(body) != "" || secretNamed(body) != "" {
		return errBody
	}
	m.body = []piece{{text: body}}
	return nil
}

func (r *recorder) takeForm(m *mould, table, body string) error {
	for i, pair := range strings.Split(body, "&") {
		if i > 0 {
			m.body = appendText(m.body, "&")
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, value, err := r.pair(rawName, rawValue)
		if err != nil {
			return err
		}
		m.body = appendText(m.body, string(appendPercent(nil, name))+"=")
		m.body = append(m.body, r.value(m, table, name, value))
	}
	return nil
}

// value is a secret or a slot.
func (r *recorder) value(m *mould, table, name, value string) piece {
	if secret := cmp.Or(secretName(name), r.secretIn(value), secretNamed(value)); secret != "" {
		return piece{variable: secret}
	}
	return m.slot(value, false, table, name)
}

func (r *recorder) takeJSON(m *mould, table, body string) error {
	t := jsonTaker{recorder: r, mould: m, table: table, Decoder: json.NewDecoder(strings.NewReader(body))}
	t.UseNumber()
	if !json.Valid([]byte(body)) {
		return errNoJSON
	}
	if err := t.value(""); err != nil {
		return err
	}
	if _, err := t.Token(); !errors.Is(err, io.EOF) {
		return errNoJSON
	}
	return nil
}

// jsonTaker takes the strings and numbers out of JSON; true, false and null say what is asked for.
type jsonTaker struct {
	*json.Decoder
	recorder *recorder
	mould    *mould
	table    string
}

func (t *jsonTaker) text(s string) { t.mould.body = appendText(t.mould.body, s) }

// value takes the next one, which stands under a name.
func (t *jsonTaker) value(name string) error {
	if len(t.mould.slots) > maxSlots {
		return errSlots
	}
	token, err := t.Token()
	if err != nil {
		return errNoJSON
	}
	switch v := token.(type) {
	case json.Delim:
		return t.within(v, name)
	case string:
		t.mould.body = append(t.mould.body, t.recorder.value(t.mould, t.table, name, v))
	case json.Number:
		if secret := cmp.Or(secretName(name), t.recorder.secretIn(v.String())); secret != "" {
			t.mould.body = append(t.mould.body, piece{variable: secret})
			return nil
		}
		t.mould.body = append(t.mould.body, t.mould.slot(v.String(), true, t.table, name))
	default:
		b, _ := json.Marshal(v) // true, false and null
		t.text(string(b))
	}
	return nil
}

// within takes an object or an array.
func (t *jsonTaker) within(opening json.Delim, name string) error {
	t.text(opening.String())
	for i := 0; t.More(); i++ {
		if i > 0 {
			t.text(", ")
		}
		if opening == '{' {
			key, err := t.Token()
			if err != nil {
				return errNoJSON
			}
			name = key.(string) // json.Valid has seen to it
			if t.recorder.secretIn(name) != "" {
				return errName
			}
			t.text(string(appendJSON([]byte{'"'}, name)) + `": `)
		}
		if err := t.value(name); err != nil {
			return err
		}
	}
	closing, err := t.Token()
	if err != nil {
		return errNoJSON
	}
	t.text(closing.(json.Delim).String())
	return nil
}
