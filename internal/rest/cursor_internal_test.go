package rest

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCursorRoundTrip(t *testing.T) {
	secret := []byte("secret")
	text := func(s string) *string { return &s }
	for _, key := range [][]*string{{text("1")}, {text(""), nil, text("\x00\xff")}, {nil}, {text(string(make([]byte, 70000)))}} {
		for _, backward := range []bool{false, true} {
			cursor := encodeCursor(secret, "order", backward, key)
			got, err := decodeCursor(secret, "order", cursor, len(key))
			if err != nil {
				t.Fatal(err)
			}
			want := make([][]byte, len(key))
			for i, v := range key {
				if v != nil {
					want[i] = []byte(*v)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for what, refused := range map[string]func() error{
				"another order":  func() error { _, err := decodeCursor(secret, "orde", cursor, len(key)); return err },
				"another secret": func() error { _, err := decodeCursor([]byte("Secret"), "order", cursor, len(key)); return err },
				"another length": func() error { _, err := decodeCursor(secret, "order", cursor, len(key)+1); return err },
			} {
				if refused() == nil {
					t.Errorf("%s is accepted", what)
				}
			}
		}
	}
}

// Whoever knows the secret can at most be refused: the bytes under a good MAC may still be anything.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{1, 'n', 2, 'a', 0}, 2)
	f.Add([]byte{1, 'n', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 1)
	f.Add([]byte{2, 'n', 2, 'a'}, 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, payload []byte, terms int) {
		secret := []byte("secret")
		for _, cursor := range []string{
			string(payload),
			base64.RawURLEncoding.EncodeToString(payload),
			base64.RawURLEncoding.EncodeToString(append(payload[:len(payload):len(payload)], cursorSum(secret, "order", payload)...)),
		} {
			key, err := decodeCursor(secret, "order", cursor, terms)
			if err == nil && len(key) != terms {
				t.Fatalf("%d values, want %d", len(key), terms)
			}
		}
	})
}
