package slipstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
)

// cacheAdmin serves /cache of the admin server.
func (s *Server) cacheAdmin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cache", s.adminAnswer(func(*http.Request) (any, error) { return s.CacheStatus(), nil }))
	mux.HandleFunc("POST /cache/purge", s.adminAnswer(s.adminPurge))
	explain := s.adminAnswer(s.adminExplain)
	mux.HandleFunc("GET /cache/explain", explain)
	mux.HandleFunc("POST /cache/explain", explain)
	return mux
}

// adminAnswer sends what f returns as JSON.
func (s *Server) adminAnswer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			e := apierr.From(err)
			if e == nil {
				s.log.ErrorContext(r.Context(), "cache admin", slog.String("path", r.URL.Path), slog.Any("error", err))
				e = apierr.New("SLIP500", "The cache could not be asked; the log says why")
			}
			edge.WriteError(w, r, e, apierr.Verbose)
			return
		}
		var body bytes.Buffer
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(out); err != nil {
			panic(err) // plain structures
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(body.Bytes()) // a client that went away is no error of ours
	}
}

func (s *Server) adminPurge(r *http.Request) (any, error) {
	var p CachePurge
	if err := adminBody(r, &p); err != nil {
		return nil, err
	}
	if err := s.PurgeCache(r.Context(), p); err != nil {
		return nil, err
	}
	s.log.InfoContext(r.Context(), "cache purged", "all", p.All, "table", p.Table+p.Tag, "by_key", len(p.Key) > 0)
	return map[string]bool{"purged": true}, nil
}

// question is a request to explain, as a client would send it to the API.
type question struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

func (s *Server) adminExplain(r *http.Request) (any, error) {
	var q question
	if r.Method == http.MethodPost {
		if err := adminBody(r, &q); err != nil {
			return nil, err
		}
	} else {
		// What follows is the URL, with its own & and ?, whether it was encoded or not.
		text, ok := strings.CutPrefix(r.URL.RawQuery, "url=")
		if decoded, err := url.QueryUnescape(text); err == nil && !strings.HasPrefix(text, "/") {
			text = decoded
		}
		if q.URL = text; !ok {
			return nil, errAdmin("There is no url", "Ask for /cache/explain?url=/items?id=eq.5")
		}
	}
	u, err := url.ParseRequestURI(q.URL)
	if err != nil {
		return nil, errAdmin("The url cannot be read", "Give a path of the API with its query, such as /items?id=eq.5")
	}
	get, err := http.NewRequestWithContext(r.Context(), http.MethodGet, u.RequestURI(), nil)
	if err != nil {
		return nil, errAdmin("The url cannot be read", "Give a path of the API with its query, such as /items?id=eq.5")
	}
	for name, value := range q.Headers {
		get.Header.Set(name, value)
	}
	return s.ExplainCache(get)
}

func errAdmin(message, hint string) error {
	return &apierr.Error{Code: "SLIP117", Message: message, Hint: hint}
}

// adminBody reads JSON. That its type must be said keeps pages in an operator's browser from sending it across origins.
func adminBody(r *http.Request, into any) error {
	const most = 1 << 16
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &apierr.Error{Code: "SLIP117", Message: "The body is not JSON", Hint: "Send Content-Type: application/json",
			Status: http.StatusUnsupportedMediaType}
	}
	return decodeOne(io.LimitReader(r.Body, most), into)
}

// decodeOne reads one JSON object and nothing else.
func decodeOne(from io.Reader, into any) error {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return errAdmin("The body cannot be read: "+strings.TrimPrefix(err.Error(), "json: "), "Send one JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errAdmin("The body goes on after its object", "Send one JSON object")
	}
	return nil
}
