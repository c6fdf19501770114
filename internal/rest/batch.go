package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// BatchType is the media type of POST / that makes it a batch, and of its answer.
const BatchType = "application/vnd.slipstream.batch+json"

// batch is the body: operations that run one after the other, in one transaction unless that is false.
type batch struct {
	Transaction *bool       `json:"transaction"`
	Operations  []operation `json:"operations"`
}

// operation is one request of a batch.
type operation struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"` // with the query
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"` // JSON, or for other content types a string
}

// result is the answer to an operation. Body is JSON, or a string of what is none, or base64 of what is no text.
type result struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     json.RawMessage   `json:"body,omitempty"`
	Encoding string            `json:"encoding,omitempty"` // base64, or empty
}

// batchHeaders are what an operation may say for itself. All else is the batch's: a proxy in front that sets or removes
// a header must not be got round.
var batchHeaders = []string{"Accept", "Accept-Profile", "Content-Profile", "Content-Type", "If-Match", "If-None-Match", "Prefer", "Range", "Range-Unit"}

// runner is what the statements of a request run on: the pool, or the transaction of a batch.
type runner interface {
	Read(context.Context, *pg.Tx, []pg.Statement, pg.Sink) error
	Write(context.Context, *pg.Tx, []pg.Statement, pg.Sink, pg.Decide) error
}

func isBatch(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return false
	}
	name, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(name), BatchType)
}

func badBatch(message, hint string) error {
	return &apierr.Error{Code: "SLIP109", Message: message, Hint: hint}
}

// batch answers a POST / with several operations. Those of one transaction take effect all or not at all: then the status
// is that of the one that failed, and the others' is 424.
func (h *Handler) batch(w http.ResponseWriter, r *http.Request) error {
	var room limit.Held
	defer room.Release()
	info := telemetry.RequestFrom(r.Context())
	info.SetRoute("batch")
	caller := auth.CallerFrom(r.Context())
	if caller == nil {
		return errNoCaller
	}
	info.SetRole(caller.Role)
	if err := h.refuseKey(r); err != nil {
		return err
	}
	if most := h.options.Timeout; most > 0 { // of all operations together
		ctx, stop := context.WithTimeout(r.Context(), most)
		defer stop()
		r = r.WithContext(ctx)
	}
	b, err := h.readBatch(w, r, &room)
	if err != nil {
		return err
	}
	together := b.Transaction == nil || *b.Transaction
	requests := make([]*http.Request, len(b.Operations))
	for i := range b.Operations {
		if requests[i], err = b.Operations[i].request(r); err != nil {
			return inOperation(i, err)
		}
	}
	var ask limit.Ask
	if together { // else each is let in by itself
		if ask, err = h.admit(h.askFor(r, caller, requests)); err != nil {
			return err
		}
	}
	if h.options.AdmitBatch != nil {
		if err := h.options.AdmitBatch(w, r, requests); err != nil {
			return err
		}
	}
	status, results := http.StatusOK, make([]result, len(requests))
	if together {
		status, err = h.together(r.Context(), ask, requests, results)
	} else {
		h.oneByOne(requests, results)
	}
	if err != nil {
		return err
	}
	return writeResults(w, status, results)
}

// askFor makes a batch as important as the least important of its operations: else it would be how clients make more of them.
func (h *Handler) askFor(whole *http.Request, caller *auth.Caller, operations []*http.Request) limit.Ask {
	ask := h.ask(whole, caller, ClassWrite)
	for _, r := range operations {
		ask.Priority.Tier = max(ask.Priority.Tier, h.ask(r, caller, ClassWrite).Priority.Tier)
	}
	return ask
}

func (h *Handler) readBatch(w http.ResponseWriter, r *http.Request, room *limit.Held) (*batch, error) {
	if h.options.BatchOperations == 0 {
		return nil, badBatch("Batches are switched off", "Send the operations one by one, or have batch-max-operations set")
	}
	body, err := h.body(w, r, room)
	if err != nil {
		return nil, err
	}
	b := new(batch)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
		return nil, badBatch("The batch is not readable: "+strings.TrimPrefix(err.Error(), "json: "),
			`Send {"operations": [{"method": "POST", "path": "/relation", "headers": {}, "body": {}}, …]}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badBatch("There is more behind the batch", "Send one JSON object")
	}
	if n := len(b.Operations); n == 0 || n > h.options.BatchOperations {
		return nil, badBatch(fmt.Sprintf("The batch has %d operations, and must have 1 to %d", n, h.options.BatchOperations),
			"Split it, or have batch-max-operations raised")
	}
	return b, nil
}

// request makes the operation a request of its own, by the caller of the batch.
func (o *operation) request(whole *http.Request) (*http.Request, error) {
	u, err := url.ParseRequestURI(o.Path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(o.Path, "/") {
		return nil, badBatch("path is not one of this API: "+strconv.Quote(o.Path), "Give path and query, such as /relation?id=eq.1")
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"}, o.Method) {
		return nil, badBatch("method "+strconv.Quote(o.Method)+" is none of GET, HEAD, POST, PATCH, PUT and DELETE", "")
	}
	header := whole.Header.Clone()
	for _, name := range append([]string{"Content-Length", "Content-Encoding", "Idempotency-Key"}, batchHeaders...) {
		if name != "Prefer" { // which holds for all operations that have none of their own
			header.Del(name)
		}
	}
	for name, value := range o.Headers {
		if !slices.Contains(batchHeaders, http.CanonicalHeaderKey(name)) {
			return nil, badBatch("header "+strconv.Quote(name)+" cannot be set for one operation",
				"Send it with the batch; an operation can have "+strings.Join(batchHeaders, ", "))
		}
		header.Set(name, value)
	}
	body, err := o.body(header)
	if err != nil {
		return nil, err
	}
	info := &telemetry.Request{ID: requestID(telemetry.RequestFrom(whole.Context()))}
	r := whole.WithContext(info.Bind(whole.Context()))
	r.Method, r.URL, r.RequestURI, r.Header = o.Method, u, o.Path, header
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	if isBatch(r) {
		return nil, badBatch("a batch cannot hold a batch", "Send its operations as some of this one's")
	}
	return r, nil
}

// body is the operation's body as it would be sent: JSON as it stands, everything else out of a string.
func (o *operation) body(header http.Header) ([]byte, error) {
	name := header.Get("Content-Type")
	if name == "" || holdsJSON(name) || len(o.Body) == 0 {
		return o.Body, nil
	}
	var text string
	if err := json.Unmarshal(o.Body, &text); err != nil {
		return nil, badBatch("a body of type "+name+" must be a string", "Give JSON bodies as they are and others as text")
	}
	return []byte(text), nil
}

// holdsJSON tells the media types of JSON (RFC 6839, section 3.1).
func holdsJSON(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	return name == "application/json" || strings.HasSuffix(name, "+json")
}

// inOperation tells which operation an error is about.
func inOperation(i int, err error) error {
	e := apierr.From(err)
	if e == nil {
		return err
	}
	placed := *e
	placed.Message = fmt.Sprintf("Operation %d: %s", i+1, e.Message)
	return &placed
}

// errOperation ends the transaction of a batch: one of its operations has failed.
var errOperation = errors.New("an operation of the batch has failed")

// together runs the operations in one transaction. An error is one that concerns all of them.
func (h *Handler) together(ctx context.Context, ask limit.Ask, requests []*http.Request, results []result) (status int, err error) {
	failed := -1
	err = h.db.Batch(ctx, ask, func(b *pg.Batch) error {
		for i, r := range requests {
			if r.Body, err = r.GetBody(); err != nil { // it may have been read: the transaction can begin anew
				return err
			}
			w := newRecorder()
			if err := h.serveOn(b, true, w, r); err != nil {
				e := h.refusal(r, err)
				if e == nil {
					return err
				}
				w = newRecorder()
				e.Write(w, r.Method == http.MethodHead, h.options.Verbosity)
				failed = i
				results[i] = w.result()
				return errOperation
			}
			results[i] = w.result()
		}
		return nil
	})
	h.batchWrote(requests, err)
	if !errors.Is(err, errOperation) {
		return http.StatusOK, err
	}
	for i := range results {
		if i != failed {
			w := newRecorder()
			undone := apierr.New("SLIP114", fmt.Sprintf("Operation %d of the batch has failed: nothing of the batch took effect", failed+1))
			undone.Write(w, false, h.options.Verbosity)
			results[i] = w.result()
		}
	}
	return results[failed].Status, nil
}

// refusal is what the client gets for an error of one operation; nil for one that concerns the transaction as a whole.
func (h *Handler) refusal(r *http.Request, err error) *apierr.Error {
	var answered *pg.Error
	switch {
	case errors.As(err, &answered) && r.Context().Err() == nil:
		return sqlError(answered, authenticated(r))
	case errors.Is(err, pg.ErrBatchIsolation):
		return apierr.From(badBatch("the operation calls a function with an isolation level of its own", "Send it by itself"))
	}
	return apierr.From(err)
}

// oneByOne runs each operation as if it had come alone.
func (h *Handler) oneByOne(requests []*http.Request, results []result) {
	for i, r := range requests {
		w := newRecorder()
		if err := h.serveOn(h.db, true, w, r); err != nil {
			w = newRecorder()
			h.fail(w, r, err)
		}
		results[i] = w.result()
	}
}

// recorder keeps the answer to an operation.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *recorder) result() result {
	out := result{Status: w.status, Headers: map[string]string{}}
	w.header.Del("Content-Length") // of a body that stands in another one
	for name, values := range w.header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	body := w.body.Bytes()
	switch {
	case len(body) == 0:
	case holdsJSON(w.header.Get("Content-Type")) && json.Valid(body):
		out.Body = body
	case utf8.Valid(body):
		out.Body = appendJSON(nil, string(body))
	default:
		out.Body, out.Encoding = appendJSON(nil, base64.StdEncoding.EncodeToString(body)), "base64"
	}
	return out
}

func writeResults(w http.ResponseWriter, status int, results []result) error {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(results); err != nil {
		return fmt.Errorf("render the answers of a batch: %w", err)
	}
	w.Header().Set("Content-Type", BatchType+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that went away is no error of ours
	return nil
}
