package edge

import (
	"io"
	"net/http"
)

// recorder notes the status and the bytes of an answer. It keeps the ways around it open:
// Flush, ReadFrom (sendfile), and everything http.ResponseController finds by Unwrap.
type recorder struct {
	http.ResponseWriter
	status   int
	bytes    int64
	draining func() bool
}

// WriteHeader passes 1xx answers through and records the final one. While the server
// drains, the answer tells the client to use another connection.
func (w *recorder) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		w.lastOnConnection()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) lastOnConnection() {
	if w.draining != nil && w.draining() {
		w.Header().Set("Connection", "close")
	}
}

func (w *recorder) begin() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) WriteString(s string) (int, error) {
	w.begin()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	// io.Copy uses the inner writer's ReadFrom where it has one.
	n, err := io.Copy(w.ResponseWriter, src)
	w.bytes += n
	return n, err
}

// Flush is http.Flusher.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *recorder) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answered says whether the recorder under w has sent a status.
func answered(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case *recorder:
			return t.status != 0
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
