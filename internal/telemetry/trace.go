package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// TracerOptions are the settings of NewTracer. What they leave out, such as sampling,
// batching, certificates and timeouts, the SDK takes from the standard OTEL_* environment
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
type TracerOptions struct {
	// Endpoint is the collector's base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT. Empty
	// switches tracing off.
	Endpoint string
	// Protocol is "http/protobuf" (default) or "grpc".
	Protocol string
	// Headers go with every export, for example a collector's API key.
	Headers map[string]string
	// ServiceName is the resource's service.name. Default: OTEL_SERVICE_NAME, else "slipstream".
	ServiceName string
	// Version is the resource's service.version.
	Version string
	// SampleRatio above 0 is the share of traces begun here that are kept; those that a
	// client's traceparent began follow its flag. Default: OTEL_TRACES_SAMPLER, else all.
	SampleRatio float64
}

// Tracer sends OpenTelemetry spans to a collector. All methods work on a nil *Tracer,
// which stands for tracing switched off, at the cost of a nil check.
type Tracer struct {
	options TracerOptions
	log     *slog.Logger
	running atomic.Pointer[runningTracer]
}

type runningTracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTracer checks the options and returns nil when they name no endpoint. Nothing is
// recorded before Start. Exports that fail are reported to log.
func NewTracer(o TracerOptions, log *slog.Logger) (*Tracer, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("OTLP endpoint %q: want http://host:port or https://host:port", o.Endpoint)
	}
	switch o.Protocol {
	case "":
		o.Protocol = "http/protobuf"
	case "http/protobuf", "grpc":
	default:
		return nil, fmt.Errorf("OTLP protocol %q: want http/protobuf or grpc", o.Protocol)
	}
	return &Tracer{options: o, log: log}, nil
}

// Start begins to record and export; the exporter's goroutines live until Close.
func (t *Tracer) Start(ctx context.Context) error {
	if t == nil {
		return nil
	}
	exporter, err := t.options.exporter(ctx)
	if err != nil {
		return fmt.Errorf("start OTLP exporter: %w", err)
	}
	res, err := t.options.resource(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("describe service to OTLP: %w", err), exporter.Shutdown(ctx))
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithBatcher(loggedExporter{SpanExporter: exporter, log: t.log}),
		sdktrace.WithResource(res),
	}
	if t.options.SampleRatio > 0 {
		sampler := sdktrace.ParentBased(sdktrace.TraceIDRatioBased(t.options.SampleRatio))
		options = append(options, sdktrace.WithSampler(sampler))
	}
	provider := sdktrace.NewTracerProvider(options...)
	const scope = "github.com/slipstream-go/slipstream"
	tracer := provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	t.running.Store(&runningTracer{provider: provider, tracer: tracer})
	return nil
}

// Close sends what is not yet sent, for as long as ctx lasts, and stops recording.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if r := t.running.Swap(nil); r != nil {
		if err := r.provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("flush traces: %w", err)
		}
	}
	return nil
}

func (t *Tracer) tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	if r := t.running.Load(); r != nil {
		return r.tracer
	}
	return nil
}

func (o TracerOptions) exporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	if o.Protocol == "grpc" {
		return otlptrace.New(ctx, otlptracegrpc.NewClient(o.grpc()...))
	}
	// The environment variable holds a base URL, the exporter wants the signal's own.
	endpoint := strings.TrimSuffix(o.Endpoint, "/") + "/v1/traces"
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(endpoint)}
	if len(o.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(o.Headers))
	}
	return otlptrace.New(ctx, otlptracehttp.NewClient(options...))
}

func (o TracerOptions) grpc() []otlptracegrpc.Option {
	options := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(o.Endpoint)}
	if len(o.Headers) > 0 {
		options = append(options, otlptracegrpc.WithHeaders(o.Headers))
	}
	return options
}

func (o TracerOptions) resource(ctx context.Context) (*resource.Resource, error) {
	attributes := []attribute.KeyValue{semconv.ServiceName("slipstream")}
	if o.Version != "" {
		attributes = append(attributes, semconv.ServiceVersion(o.Version))
	}
	options := []resource.Option{
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attributes...),
		resource.WithFromEnv(), // after the default name, so that OTEL_SERVICE_NAME wins
	}
	if o.ServiceName != "" {
		options = append(options, resource.WithAttributes(semconv.ServiceName(o.ServiceName)))
	}
	return resource.New(ctx, options...)
}

// loggedExporter reports failures to our log; the SDK would report them to a global.
type loggedExporter struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (e loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.log.WarnContext(ctx, "traces not sent", slog.Int("spans", len(spans)), slog.Any("error", err))
	}
	return nil
}
