package httpcache

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/slipstream-go/slipstream/cache"
)

// encoding is a content coding (RFC 9110, section 8.4.1).
type encoding int

// The encodings; of those that a client likes equally, the last one is taken.
const (
	identity encoding = iota
	gzipped
	zstandard
	brotlied
	encodings
)

func (e encoding) String() string { return [...]string{"identity", "gzip", "zstd", "br"}[e] }

// suffixes make the ETags of encodings differ, as they must (RFC 9110, section 8.8.3.3).
var suffixes = [encodings]string{"", "-gzip", "-zstd", "-br"}

// smallBody is the size, in bytes, below which a body fits into one packet, and encoding it saves nothing.
const smallBody = 1280

// choose takes the variant that the client likes best. One that is not there yet is made by the first hit that asks for it
// and needs a body; others get the body as it is meanwhile.
func (a *answer) choose(header http.Header, e *cache.Entry, bodiless bool) *variant {
	plain := a.variants[identity].Load()
	best := a.encodingFor(header, plain)
	if v := a.variants[best].Load(); v != nil {
		return v
	}
	if e == nil || bodiless || !a.busy.CompareAndSwap(false, true) {
		return plain
	}
	defer a.busy.Store(false)
	v := plain
	if body := encode(best, plain.body); body != nil && len(body) < len(plain.body) {
		v = a.variant(best, body)
	}
	a.variants[best].Store(v) // where encoding saves nothing, it is not tried again
	if e.Stored() {
		e.Resize(a.Size())
	}
	return v
}

// encodingFor is identity for bodies that are not worth the work, even where the client would rather have them encoded: an
// answer without a content coding is always allowed (RFC 9110, section 12.5.3).
func (a *answer) encodingFor(header http.Header, plain *variant) encoding {
	accepts, ok := header["Accept-Encoding"]
	if !ok || len(plain.body) < smallBody {
		return identity
	}
	return preferred(accepts)
}

// preferred is the encoding that Accept-Encoding gives the greatest weight (RFC 9110, section 12.5.3). Identity has to be
// asked for: without its name it is what is left when there is no other.
func preferred(lines []string) encoding {
	const unnamed = -1
	weights := [encodings]float64{unnamed, unnamed, unnamed, unnamed}
	others := 0.0 // of *
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, parameters, weighted := strings.Cut(part, ";")
			q := 1.0
			if weighted {
				q = weight(parameters)
			}
			if name = strings.TrimSpace(name); name == "*" {
				others = q
			} else if e, known := named(name); known {
				weights[e] = max(weights[e], q)
			}
		}
	}
	best, most := identity, max(weights[identity], 0)
	for e := identity + 1; e < encodings; e++ {
		q := weights[e]
		if q == unnamed {
			q = others
		}
		if q > 0 && q >= most {
			best, most = e, q
		}
	}
	return best
}

func named(name string) (e encoding, known bool) {
	switch {
	case strings.EqualFold(name, "br"):
		return brotlied, true
	case strings.EqualFold(name, "zstd"):
		return zstandard, true
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return gzipped, true
	}
	return identity, strings.EqualFold(name, "identity")
}

func weight(parameters string) float64 {
	name, value, _ := strings.Cut(strings.TrimSpace(parameters), "=")
	if !strings.EqualFold(name, "q") {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !(q >= 0 && q <= 1) { // NaN is neither
		return 0
	}
	return q
}

// encode returns nil if it fails. It is done once for many hits, yet a client waits for it.
func encode(e encoding, body []byte) []byte {
	var out bytes.Buffer
	var w io.WriteCloser
	switch e {
	case gzipped:
		w, _ = gzip.NewWriterLevel(&out, 6) // the level is valid
	case zstandard:
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
		if err != nil {
			return nil
		}
		w = z
	case brotlied:
		w = brotli.NewWriterLevel(&out, 5)
	default:
		return body
	}
	if _, err := w.Write(body); err != nil {
		return nil
	}
	if w.Close() != nil {
		return nil
	}
	return bytes.Clone(out.Bytes())
}
