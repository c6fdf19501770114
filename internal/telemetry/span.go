package telemetry

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Span is one timed step of a trace. The zero value is a step that is not recorded.
type Span struct{ span trace.Span }

// StartRequest begins the server span of r, as the child of its traceparent header
// (https://www.w3.org/TR/trace-context/) if it has one. The context returned carries the span to StartQuery.
func (t *Tracer) StartRequest(ctx context.Context, r *http.Request) (context.Context, Span) {
	tracer := t.tracer()
	if tracer == nil {
		return ctx, Span{}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
	if span.IsRecording() {
		span.SetAttributes(requestAttributes(r)...)
	}
	return ctx, Span{span: span}
}

// requestAttributes follows the HTTP semantic conventions. The query string is left out:
// its filters are data.
func requestAttributes(r *http.Request) []attribute.KeyValue {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr // a unix socket has no port
	}
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(knownMethod(r.Method)),
		semconv.URLPath(r.URL.Path),
		semconv.URLScheme(scheme),
		semconv.ServerAddress(r.Host),
		semconv.ClientAddress(client),
		semconv.UserAgentOriginal(r.UserAgent()),
		semconv.NetworkProtocolVersion(strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)),
	}
}

// EndRequest names the span "METHOD route" and ends it with the status of the answer.
func (s Span) EndRequest(method string, req *Request, status int) {
	if s.span == nil {
		return
	}
	defer s.span.End()
	if !s.span.IsRecording() {
		return
	}
	if req.Route != "" {
		s.span.SetName(method + " " + req.Route)
		s.span.SetAttributes(semconv.HTTPRoute(req.Route))
	}
	s.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status < 500 {
		return
	}
	s.span.SetStatus(codes.Error, "")
	errorType := req.Code
	if errorType == "" {
		errorType = strconv.Itoa(status)
	}
	s.span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
}

// StartQuery begins a client span for a statement. The text must be the parameterised
// one: it is sent to the collector, values never are.
func (t *Tracer) StartQuery(ctx context.Context, sql string) (context.Context, Span) {
	tracer := t.tracer()
	if tracer == nil {
		return ctx, Span{}
	}
	ctx, span := tracer.Start(ctx, "postgresql", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(semconv.DBSystemNamePostgreSQL, semconv.DBQueryText(sql))
	}
	return ctx, Span{span: span}
}

// EndQuery ends a statement's span. code is the SQLSTATE or other code of its failure,
// empty for success.
func (s Span) EndQuery(code string) {
	if s.span == nil {
		return
	}
	if code != "" {
		s.span.SetStatus(codes.Error, code)
		s.span.SetAttributes(semconv.ErrorTypeKey.String(code), semconv.DBResponseStatusCode(code))
	}
	s.span.End()
}

// TraceID is the hexadecimal id of the span's trace, empty when there is none.
func (s Span) TraceID() string {
	if s.span == nil || !s.span.SpanContext().HasTraceID() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}
