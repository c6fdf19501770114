package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream/cache"
)

type film struct {
	ID     int
	Title  string
	Actors []*string
	Tags   map[string]any
	Sequel *film
}

func TestGetOrLoad(t *testing.T) {
	c, _ := newCache(cache.Options{})
	loads := 0
	load := func(ctx context.Context, f *cache.Fill) (film, error) {
		if cache.FillFrom(ctx) != f {
			t.Error("the context does not carry the fill")
		}
		loads++
		f.Watch(films.Where(1, "7"))
		return film{ID: 7, Title: "Alien"}, nil
	}
	want := func(wantLoads int) {
		t.Helper()
		got, err := cache.GetOrLoad(t.Context(), c, "film 7", load)
		if err != nil || got.Title != "Alien" || loads != wantLoads {
			t.Fatalf("%v, %v after %d loads, want Alien after %d", got, err, loads, wantLoads)
		}
	}
	want(1)
	want(1)
	c.Apply(insert(1, films, "8"))
	want(1)
	c.Apply(insert(2, films, "7"))
	want(2)
	beat(c, upTo(2))
	want(3)
	want(3)
	if n, err := cache.GetOrLoad(t.Context(), c, "film 7", func(_ context.Context, f *cache.Fill) (int, error) {
		f.Watch(films.Any())
		return 42, nil
	}); n != 42 || err != nil {
		t.Errorf("%d, %v: a key of another type", n, err)
	}
	want(3)
}

func TestGetOrLoadKeepsNoErrors(t *testing.T) {
	c, _ := newCache(cache.Options{})
	broken := errors.New("broken")
	for _, want := range []error{broken, nil} {
		_, err := cache.GetOrLoad(t.Context(), c, "a", func(_ context.Context, f *cache.Fill) (string, error) {
			f.Watch(films.Any())
			return "A", want
		})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestGetOrLoadPanics(t *testing.T) {
	c, _ := newCache(cache.Options{})
	func() {
		defer func() { recover() }()
		cache.GetOrLoad(t.Context(), c, "a", func(context.Context, *cache.Fill) (string, error) { panic("oh") })
	}()
	got, err := cache.GetOrLoad(t.Context(), c, "a", func(context.Context, *cache.Fill) (string, error) { return "A", nil })
	if got != "A" || err != nil {
		t.Errorf("%q, %v after a load that panicked", got, err)
	}
}

func TestGetOrLoadSharesLoads(t *testing.T) {
	c, _ := newCache(cache.Options{})
	var loads atomic.Int32
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			got, err := cache.GetOrLoad(t.Context(), c, "a", func(_ context.Context, f *cache.Fill) (string, error) {
				loads.Add(1)
				f.Watch(films.Any())
				return "A", nil
			})
			if got != "A" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

// All that failed to share get an answer in the end.
func TestGetOrLoadFailsForEachCaller(t *testing.T) {
	c, _ := newCache(cache.Options{})
	broken := errors.New("broken")
	var failed atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := cache.GetOrLoad(t.Context(), c, "a", func(_ context.Context, f *cache.Fill) (string, error) {
				f.Watch(films.Any())
				return "", broken
			})
			if errors.Is(err, broken) {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n != 100 {
		t.Errorf("%d callers got the error, want 100", n)
	}
}

func TestSizeOfLoaded(t *testing.T) {
	c, _ := newCache(cache.Options{Budget: 1 << 24})
	size := func(v any) uint64 {
		t.Helper()
		c.Flush()
		cache.GetOrLoad(t.Context(), c, "a", func(_ context.Context, f *cache.Fill) (any, error) {
			f.Watch(films.Any())
			return v, nil
		})
		return c.Stats().Bytes
	}
	long := strings.Repeat("x", 10_000)
	loop := &film{Title: long}
	loop.Sequel = loop
	empty := size(nil)
	for name, v := range map[string]any{
		"string": long, "bytes": make([]byte, 10_000), "numbers": make([]int64, 1_250), "loop": loop,
		"in a slice": []*string{&long}, "in a map": map[string]any{"a": long}, "sized": text(long),
	} {
		if got := size(v) - empty; got < 9_950 || got > 10_500 {
			t.Errorf("%s: %d bytes, want about 10,000", name, got)
		}
	}
}
