package telemetry_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// otlpCollector receives what the real exporters send, over both protocols.
type otlpCollector struct {
	collector.UnimplementedTraceServiceServer

	mu      sync.Mutex
	exports []*collector.ExportTraceServiceRequest
	apiKey  string
}

func (c *otlpCollector) add(r *collector.ExportTraceServiceRequest, apiKey string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exports = append(c.exports, r)
	c.apiKey = apiKey
}

func (c *otlpCollector) serveHTTP(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = zipped
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		var export collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &export); err != nil {
			t.Error(err)
		}
		c.add(&export, r.Header.Get("X-Api-Key"))
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func (c *otlpCollector) serveGRPC(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	collector.RegisterTraceServiceServer(srv, c)
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	t.Cleanup(func() { srv.Stop(); wg.Wait() })
	return "http://" + ln.Addr().String()
}

func (c *otlpCollector) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	var apiKey string
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("x-api-key")) == 1 {
		apiKey = md.Get("x-api-key")[0]
	}
	c.add(r, apiKey)
	return &collector.ExportTraceServiceResponse{}, nil
}

// spans are all received so far, by name.
func (c *otlpCollector) spans() map[string]*wire.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	byName := map[string]*wire.Span{}
	for _, e := range c.exports {
		for _, rs := range e.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					byName[s.Name] = s
				}
			}
		}
	}
	return byName
}

func (c *otlpCollector) resource() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.exports) == 0 {
		return nil
	}
	return attributes(c.exports[0].ResourceSpans[0].Resource.Attributes)
}

func attributes(kvs []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range kvs {
		switch v := kv.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			m[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.Key] = http.StatusText(int(v.IntValue))
		}
	}
	return m
}
