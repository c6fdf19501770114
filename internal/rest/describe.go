package rest

import (
	"net/http"
	"strings"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// describe answers OPTIONS with the methods that the target has.
func (x *exchange) describe() error {
	x.info.MarkTiming(telemetry.PhaseParse)
	allow := "OPTIONS,GET,HEAD"
	switch x.req.Target {
	case request.Relation:
		relation, err := plan.Relation(x.catalog.Schema, x.req)
		if err != nil {
			return err
		}
		allow = relationMethods(relation)
		x.info.SetRoute(x.req.Name)
	case request.Function:
		f, err := plan.Function(x.catalog.Schema, x.req)
		if err != nil {
			return err
		}
		allow = "OPTIONS,GET,HEAD,POST"
		if f.Volatility == schema.Volatile {
			allow = "OPTIONS,POST"
		}
		x.info.SetRoute("rpc/" + x.req.Name)
	}
	x.info.MarkTiming(telemetry.PhasePlan)
	h := x.w.Header()
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Length", "0")
	x.setLast(h)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

func relationMethods(r *schema.Relation) string {
	methods := []string{"OPTIONS,GET,HEAD"}
	if r.Insertable {
		methods = append(methods, "POST")
	}
	if r.Insertable && r.Updatable && len(r.PrimaryKey) > 0 {
		methods = append(methods, "PUT")
	}
	if r.Updatable {
		methods = append(methods, "PATCH")
	}
	if r.Deletable {
		methods = append(methods, "DELETE")
	}
	return strings.Join(methods, ",")
}
