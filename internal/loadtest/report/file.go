package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The format of files. Its version goes up with each change that an older Read would not understand; fields that say nothing
// of their unit count. Durations are in seconds, latencies in milliseconds, but histograms in microseconds. Objects called
// …Milliseconds are derived from the histogram beside them, for those who read files with jq, and Read leaves them alone.
const (
	formatName    = "load test report"
	formatVersion = 1
)

type file struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	Tool     string    `json:"tool"`
	When     time.Time `json:"when"`
	Machine  Machine   `json:"machine"`
	Scenario Scenario  `json:"scenario"`
	Runs     []fileRun `json:"runs"`
	Knee     *fileKnee `json:"knee,omitempty"`
}

type fileRun struct {
	Target    string         `json:"target"`
	Protocol  string         `json:"protocol"`
	Open      bool           `json:"openLoop"`
	Seed      uint64         `json:"seed"`
	Started   time.Time      `json:"started"`
	Took      seconds        `json:"tookSeconds"`
	Total     fileRow        `json:"total"`
	Shapes    []fileRow      `json:"shapes,omitempty"`
	Groups    []fileRow      `json:"groups,omitempty"`
	Phases    []filePhase    `json:"phases"`
	Series    []fileInterval `json:"series"`
	Generator fileGenerator  `json:"generator"`
	Faults    []fileFault    `json:"faults,omitempty"`
}

type fileRow struct {
	Name     string            `json:"name,omitempty"`
	Due      uint64            `json:"due"`
	Sent     uint64            `json:"sent"`
	Good     uint64            `json:"good"`
	Errors   map[string]uint64 `json:"errors,omitempty"`
	BytesIn  uint64            `json:"bytesIn"`
	BytesOut uint64            `json:"bytesOut"`
	// From when requests were due, and from when they were sent.
	LatencyHistogram histogram    `json:"latencyHistogramMicroseconds,omitzero"`
	Latency          *percentiles `json:"latencyMilliseconds,omitempty"`
	OwnHistogram     histogram    `json:"latencySinceSentHistogramMicroseconds,omitzero"`
	Own              *percentiles `json:"latencySinceSentMilliseconds,omitempty"`
}

type filePhase struct {
	fileRow
	Duration seconds `json:"durationSeconds"`
	From     float64 `json:"fromPerSecond"`
	To       float64 `json:"toPerSecond"`
	Steps    int     `json:"steps,omitempty"`
	WarmUp   bool    `json:"warmUp,omitempty"`
	Start    seconds `json:"startSeconds"`
	Took     seconds `json:"tookSeconds"`
}

type fileInterval struct {
	Start            seconds      `json:"startSeconds"`
	Length           seconds      `json:"lengthSeconds"`
	Offered          float64      `json:"offeredPerSecond"`
	Due              uint64       `json:"due"`
	Sent             uint64       `json:"sent"`
	Good             uint64       `json:"good"`
	Errors           uint64       `json:"errors"`
	LatencyHistogram histogram    `json:"latencyHistogramMicroseconds,omitzero"`
	Latency          *percentiles `json:"latencyMilliseconds,omitempty"`
}

type fileGenerator struct {
	LateHistogram histogram    `json:"lateHistogramMicroseconds,omitzero"`
	Late          *percentiles `json:"lateMilliseconds,omitempty"`
	Waited        uint64       `json:"waitedForConnection"`
	Connections   uint64       `json:"connectionsAtOnce"`
	Opened        uint64       `json:"connectionsOpened"`
	CPU           seconds      `json:"cpuSeconds"`
	Cores         int          `json:"cores"`
	Bottleneck    string       `json:"bottleneck,omitempty"`
}

type fileFault struct {
	Start  seconds `json:"startSeconds"`
	Length seconds `json:"lengthSeconds"`
	Name   string  `json:"name"`
}

type fileKnee struct {
	Quantile float64     `json:"objectiveQuantile"`
	Limit    millis      `json:"objectiveMilliseconds"`
	Errors   float64     `json:"objectiveErrorShare"`
	Rate     float64     `json:"ratePerSecond"`
	Points   []filePoint `json:"points"`
	Bound    string      `json:"bound,omitempty"`
}

type filePoint struct {
	Asked    float64 `json:"askedPerSecond"`
	Achieved float64 `json:"achievedPerSecond"`
	Latency  millis  `json:"objectiveLatencyMilliseconds"`
	P50      millis  `json:"p50Milliseconds"`
	P90      millis  `json:"p90Milliseconds"`
	P99      millis  `json:"p99Milliseconds"`
	P999     millis  `json:"p99.9Milliseconds"`
	Max      millis  `json:"maxMilliseconds"`
	Errors   float64 `json:"errorShare"`
	OK       bool    `json:"ok"`
	Why      string  `json:"why,omitempty"`
}

// seconds is a duration that files have as a number of them, exact to the nanosecond for durations up to 100 days.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

func (s *seconds) UnmarshalJSON(b []byte) error {
	d, err := duration(b, time.Second)
	*s = seconds(d)
	return err
}

// millis is a duration that files have as a number of milliseconds.
type millis time.Duration

func (m millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(m) / float64(time.Millisecond))
}

func (m *millis) UnmarshalJSON(b []byte) error {
	d, err := duration(b, time.Millisecond)
	*m = millis(d)
	return err
}

func duration(b []byte, unit time.Duration) (time.Duration, error) {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return 0, err
	}
	ns := math.Round(f * float64(unit))
	if ns < 0 || ns > float64(100*24*time.Hour) {
		return 0, fmt.Errorf("a duration of %s: it must be between 0 and 100 days", b)
	}
	return time.Duration(ns), nil
}

// histogram is in files as HdrHistogram's V2 encoding, compressed and in base64, which any implementation of it reads.
type histogram struct{ *hdrhistogram.Histogram }

func (h histogram) IsZero() bool { return h.Histogram == nil }

func (h histogram) MarshalJSON() ([]byte, error) {
	encoded, err := h.EncodeV2()
	if err != nil {
		return nil, fmt.Errorf("encode a histogram: %w", err)
	}
	return json.Marshal(string(encoded))
}

func (h *histogram) UnmarshalJSON(b []byte) error {
	var encoded string
	if err := json.Unmarshal(b, &encoded); err != nil {
		return err
	}
	decoded, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return fmt.Errorf("a histogram: %w", err)
	}
	if decoded.SignificantFigures() > 3 {
		return errors.New("a histogram has more than three digits, which take megabytes each")
	}
	h.Histogram = decoded
	return nil
}

// percentiles are a histogram's figures.
type percentiles struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// derive has nothing to say of an empty histogram.
func derive(h *hdrhistogram.Histogram) *percentiles {
	if empty(h) {
		return nil
	}
	return &percentiles{
		Min: float64(h.Min()) / 1000, Mean: h.Mean() / 1000,
		P50: milliseconds(h, 0.5), P90: milliseconds(h, 0.9), P99: milliseconds(h, 0.99), P999: milliseconds(h, 0.999), Max: milliseconds(h, 1),
	}
}
