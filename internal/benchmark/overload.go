package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	loadreport "github.com/slipstream-go/slipstream/internal/loadtest/report"
	loadscenario "github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// overloadSchema is what overload.sql makes.
const overloadSchema = "overload"

//go:embed overload.sql
var overloadSQL string

//go:embed overload.yaml
var overloadScenario []byte

// The phases of overload.yaml, by their places.
const (
	peakPhase = iota
	normalPhase
	overloadPhase
	afterPhase
)

// overloadPool is how many connections to the database the server has, which decides how much it can do.
const overloadPool = 10

// overloadPriorities are the tiers of overload.yaml's groups; the catalogue's is the default.
const overloadPriorities = `{"checkout*": "critical", "reviews*": "sheddable", "export*": "background"}`

// overloaded is what came of the load with and without protection.
type overloaded struct {
	protected bool
	load      loadtest.Load
	result    *loadtest.Result
	tally     *tiers.Tally
}

func (o overloaded) name() string {
	if o.protected {
		return "protection on"
	}
	return "protection off"
}

// measureOverload sends three times as much as the database can do to a server with protection, and to one without. It draws both
// in a picture beside the document.
func measureOverload(ctx context.Context, o options, b *bed, progress io.Writer) (report, error) {
	if err := pg.ExecScript(ctx, b.dsn, overloadSQL+overloadGrants()); err != nil {
		return report{}, err
	}
	var sides []overloaded
	for _, protected := range []bool{true, false} {
		side, err := overloadServer(ctx, o, b, protected)
		if err != nil {
			return report{}, err
		}
		fmt.Fprintf(progress, "%s: %d right answers of %d in the overload\n", side.name(), side.result.Phases[overloadPhase].Good, side.result.Phases[overloadPhase].Due)
		sides = append(sides, side)
	}
	if o.out != "" {
		if err := drawOverload(filepath.Join(filepath.Dir(o.out), "overload.svg"), sides); err != nil {
			return report{}, err
		}
	}
	return overloadReport(sides), nil
}

func overloadGrants() string {
	return fmt.Sprintf("grant usage on schema %[1]s to %[2]s; grant select on all tables in schema %[1]s to %[2]s;", overloadSchema, shop.AnonRole)
}

// overloadServer loads a server of its own.
func overloadServer(ctx context.Context, o options, b *bed, protected bool) (side overloaded, err error) {
	load, err := overloadLoad(o)
	if err != nil {
		return side, err
	}
	s, err := startServer(ctx, o.program, b, overloadSchema, fmt.Sprintf("--db-pool=%d", overloadPool), "--priorities="+overloadPriorities,
		fmt.Sprintf("--overload-protection=%t", protected))
	if err != nil {
		return side, err
	}
	defer s.stop()
	side = overloaded{protected: protected, load: load, tally: tiers.New(load)}
	load.Target, load.Each = &url.URL{Scheme: "http", Host: s.host}, side.tally.Add
	if side.result, err = loadtest.Run(ctx, load); err != nil {
		return side, err
	}
	return side, ctx.Err()
}

// overloadLoad is the scenario's, with the overload as long as it is asked for.
func overloadLoad(o options) (loadtest.Load, error) {
	s, err := loadscenario.Parse("overload.yaml", overloadScenario)
	if err != nil {
		return loadtest.Load{}, err
	}
	load, err := s.Load(".", os.LookupEnv)
	if err != nil {
		return load, err
	}
	if o.hold > 0 {
		load.Phases[overloadPhase].Duration = o.hold
	}
	if o.hurry { // of a test that wants to know only whether it works
		for i := range load.Phases {
			load.Phases[i].Duration = time.Second
		}
	}
	return load, nil
}

// drawOverload writes goodput and p99 over time of both.
func drawOverload(file string, sides []overloaded) error {
	var both loadreport.Overlay
	for _, s := range sides {
		both = append(both, loadreport.Named{Name: s.name(), Report: loadreport.Report{Runs: []*loadtest.Result{s.result}}})
	}
	var picture strings.Builder
	if err := both.SVG(&picture); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(picture.String()), 0o644); err != nil {
		return errors.Join(errors.New("draw the overload"), err)
	}
	return nil
}
