package rest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func anyRoom(int64) error { return nil }

func TestReadAll(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, promised - 1, promised, promised + 1, 3 * promised} {
		want := strings.Repeat("x", size)
		for name, body := range map[string]io.Reader{
			"at once":         strings.NewReader(want),
			"in halves":       iotest.HalfReader(strings.NewReader(want)),
			"end with data":   iotest.DataErrReader(strings.NewReader(want)),
			"of unknown size": strings.NewReader(want),
			"more than said":  strings.NewReader(want),
			"less than said":  strings.NewReader(want),
		} {
			said := map[string]int64{"of unknown size": -1, "more than said": int64(size) / 2, "less than said": 2*int64(size) + 1}
			length, ok := said[name]
			if !ok {
				length = int64(size)
			}
			got, err := readAll(body, length, anyRoom)
			if err != nil || string(got) != want {
				t.Errorf("%d bytes, %s: %d bytes, %v", size, name, len(got), err)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := readAll(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), 2, anyRoom); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// A body whose size is known is kept once, and a client who has sent little has little kept, whatever it says.
func TestReadAllTakesNoMoreThanNeeded(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 16*promised)
	b, err := readAll(bytes.NewReader(body), int64(len(body)), anyRoom)
	if err != nil || cap(b) > len(body)*5/4 {
		t.Errorf("%d bytes for %d, %v", cap(b), len(body), err)
	}
	if b, err = readAll(strings.NewReader("x"), 64<<20, anyRoom); err != nil || cap(b) > promised {
		t.Errorf("%d bytes for 1, %v", cap(b), err)
	}
}
