package telemetry_test

import (
	"context"
	"testing"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestRequestTravelsInContext(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	req := &telemetry.Request{ID: "r1"}
	ctx, stop := context.WithCancel(req.Bind(parent))
	defer stop()

	if got := telemetry.RequestFrom(ctx); got != req {
		t.Fatalf("RequestFrom = %v", got)
	}
	if got := ctx.Value(key{}); got != "kept" {
		t.Errorf("the parent's value is lost: %v", got)
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("the parent's end does not reach the bound context")
	}
}

func TestRequestSetters(t *testing.T) {
	req := &telemetry.Request{}
	fill := func(r *telemetry.Request) {
		r.SetRoute("films")
		r.SetRole("web_anon")
		r.SetCode("PGRST116")
		r.StartTiming()
		spin(t)
		r.MarkTiming(telemetry.PhasePlan)
	}
	fill(req)
	if req.Route != "films" || req.Role != "web_anon" || req.Code != "PGRST116" {
		t.Errorf("got %+v", req)
	}
	if req.Timing.Spent(telemetry.PhasePlan) <= 0 {
		t.Error("timing not kept")
	}
	none := telemetry.RequestFrom(t.Context())
	if none != nil {
		t.Fatalf("a bare context has a request: %v", none)
	}
	fill(none) // must not panic
}

func TestBindAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	req := &telemetry.Request{}
	maxAllocs(t, 0, func() {
		if telemetry.RequestFrom(req.Bind(ctx)) != req {
			t.Fatal("lost")
		}
	})
}

func TestAddSQL(t *testing.T) {
	var none *telemetry.Request
	none.AddSQL("select 1")
	var r telemetry.Request
	r.AddSQL("select 1")
	r.AddSQL("select 2")
	if r.SQL != "select 1; select 2" {
		t.Error(r.SQL)
	}
}
