package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
)

// cacheQuestion is a command that asks the admin server of a running server.
type cacheQuestion struct {
	options *optionFlags
	json    bool
}

func (q *cacheQuestion) add(cmd *cobra.Command) {
	q.options = addOptionFlags(cmd)
	cmd.Flags().BoolVar(&q.json, "json", false, "print JSON as the server sends it")
}

// ask prints the answer: as it is, or as text turns it into lines for people.
func (q *cacheQuestion) ask(cmd *cobra.Command, method, path string, document any, text func([]byte) (string, error)) error {
	cfg, err := q.options.load(cmd)
	if err != nil {
		return err
	}
	admin, err := newAdminClient(cfg.WithDefaults())
	if err != nil {
		return err
	}
	answer, err := admin.ask(cmd.Context(), method, path, document)
	if err != nil {
		return err
	}
	out := string(answer)
	if !q.json {
		if out, err = text(answer); err != nil {
			return fmt.Errorf("the server's answer cannot be read; is it of this version? %w", err)
		}
	}
	return write(cmd.OutOrStdout(), out)
}

func cacheStatsCommand() *cobra.Command {
	var q cacheQuestion
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Say what the cache of a running server does",
		Long:  "Ask the admin server of a running server with this configuration what its cache does.",
		Args:  noArguments,
	}
	q.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return q.ask(cmd, http.MethodGet, "/cache", nil, func(b []byte) (string, error) {
			var s slipstream.CacheStatus
			err := json.Unmarshal(b, &s)
			return statsText(&s), err
		})
	}
	return cmd
}

// table aligns lines of a name and a value.
type table struct {
	text strings.Builder
	tabs *tabwriter.Writer
}

func newTable() *table {
	t := &table{}
	const gap = 2
	t.tabs = tabwriter.NewWriter(&t.text, 0, 0, gap, ' ', 0)
	return t
}

func (t *table) line(name, format string, args ...any) {
	fmt.Fprintf(t.tabs, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

func (t *table) String() string {
	_ = t.tabs.Flush() // into memory
	return t.text.String()
}

func statsText(s *slipstream.CacheStatus) string {
	t := newTable()
	t.line("mode", "%s", s.Mode)
	if s.Reason != "" {
		t.line("reason", "%s", s.Reason)
	}
	if s.Hint != "" {
		t.line("hint", "%s", s.Hint)
	}
	if s.LagMilliseconds >= 0 {
		t.line("lag", "%d ms", s.LagMilliseconds)
	}
	if s.Feed != "" {
		t.line("feed", "%s", s.Feed)
	}
	t.line("tables", "%d", s.Tables)
	t.line("entries", "%d, %.1f MiB", s.Entries, float64(s.Bytes)/(1<<20))
	var missed uint64
	for _, n := range s.Misses {
		missed += n
	}
	rate := ""
	if all := s.Hits + missed; all > 0 {
		rate = fmt.Sprintf(", %.1f %% of look-ups", 100*float64(s.Hits)/float64(all))
	}
	t.line("hits", "%d%s", s.Hits, rate)
	t.line("misses", "%d%s", missed, reasons(s.Misses))
	if shared := s.Shared; shared != nil {
		away := ""
		if shared.Away {
			away = ", it is away"
		}
		t.line("from redis", "%d of these%s%s", shared.Hits, reasons(shared.Refused), away)
		t.line("to redis", "%d%s", shared.Sent, reasons(map[string]uint64{"dropped": shared.Dropped, "failed": shared.Failed}))
	}
	t.line("stored", "%d", s.Stored)
	var rejected uint64
	for _, n := range s.Rejected {
		rejected += n
	}
	t.line("rejected", "%d%s", rejected, reasons(s.Rejected))
	t.line("invalidated", "%d", s.Invalidated)
	t.line("evicted", "%d", s.Evicted)
	return t.String()
}

// reasons lists those that there were.
func reasons(counts map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func cachePurgeCommand() *cobra.Command {
	var q cacheQuestion
	var order slipstream.CachePurge
	var key map[string]string
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Have a running server drop answers that it keeps",
		Long: "Have a running server with this configuration drop answers that it keeps. Changes in the database do so by\n" +
			"themselves; this is for what they do not tell. Other servers on the same database do the same, if they\n" +
			"listen on its channel (db-channel-enabled).",
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&order.All, "all", false, "drop everything")
	cmd.Flags().StringVar(&order.Table, "table", "", "drop what depends on this `TABLE`, as schema.name")
	cmd.Flags().StringToStringVar(&key, "key", nil, "only what depends on the row with this `COLUMN=VALUE`; may be repeated")
	cmd.Flags().StringVar(&order.Tag, "tag", "", "drop what has this `TAG`")
	q.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !order.All && order.Table == "" && order.Tag == "" {
			return usagef("it is not clear what to drop; give --all, --table or --tag")
		}
		for name, value := range key {
			if order.Key == nil {
				order.Key = map[string]any{}
			}
			order.Key[name] = value
		}
		return q.ask(cmd, http.MethodPost, "/cache/purge", order, func([]byte) (string, error) { return "Purged.\n", nil })
	}
	return cmd
}

func cacheExplainCommand() *cobra.Command {
	var q cacheQuestion
	var headers []string
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Say whether a request is answered from a running server's cache, and why",
		Long: "Say whether a GET of URL, a path of the API such as '/items?id=eq.5', is answered from the cache of a running\n" +
			"server with this configuration, and if not, why. The request is not answered, nor counted.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one URL, such as '/items?id=eq.5'; see %s --help", cmd.CommandPath())
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "`HEADER` of the request, such as 'Authorization: Bearer …'; may be repeated")
	q.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given := map[string]string{}
		for _, h := range headers {
			name, value, ok := strings.Cut(h, ":")
			if !ok {
				return usagef("--header needs a colon, as in 'Accept: text/csv'")
			}
			given[name] = strings.TrimSpace(value)
		}
		question := map[string]any{"url": args[0], "headers": given}
		return q.ask(cmd, http.MethodPost, "/cache/explain", question, func(b []byte) (string, error) {
			var e slipstream.CacheExplanation
			err := json.Unmarshal(b, &e)
			return explanationText(&e), err
		})
	}
	return cmd
}

func explanationText(e *slipstream.CacheExplanation) string {
	t := newTable()
	t.line("verdict", "%s", e.Verdict)
	if e.Because != "" {
		t.line("because", "%s (%s)", e.Because, e.Kind)
	}
	if e.Route != "" {
		t.line("relation", "%s", e.Route)
	}
	if e.Key != "" {
		t.line("key", "%s", e.Key)
		t.line("holds", "%s", strings.Join(append([]string{"role " + e.Role}, e.Caller...), ", "))
	}
	if len(e.Tables) > 0 {
		t.line("reads", "%s", strings.Join(e.Tables, ", "))
	}
	if entry := e.Entry; entry != nil {
		t.line("age", "%s", time.Duration(entry.AgeMilliseconds)*time.Millisecond)
		if ms := entry.ExpiresMilliseconds; ms != nil {
			t.line("expires in", "%s", time.Duration(*ms)*time.Millisecond)
		}
		t.line("hits", "%d", entry.Hits)
		if entry.Shared {
			t.line("fetched by", "another instance")
		}
		t.line("size", "%d bytes", entry.Bytes)
		for i := range entry.DependsOn {
			t.line("dropped by", "%s", dependencyText(&entry.DependsOn[i]))
		}
		if entry.Limited {
			t.line("kept", "until it expires, also while it is not certain that nothing has changed")
			t.line("dropped by", "purges of %s, and writes to them through this server", strings.Join(entry.Tags, ", "))
		}
	}
	return t.String()
}

// changes spell the sides of a change.
var changes = map[string]string{
	"any": "any change of %s", "before": "change of rows of %s that were shown", "after": "rows of %s that come to fit",
	"either": "rows of %s that fit, before or after a change",
}

func dependencyText(d *slipstream.CacheDependency) string {
	pattern, known := changes[d.Change]
	if !known {
		pattern = d.Change + " of %s"
	}
	text := fmt.Sprintf(pattern, d.Table)
	if len(d.Columns) > 0 {
		text += fmt.Sprintf(", by %s (%d)", strings.Join(d.Columns, ", "), d.Rows)
	}
	if len(d.Where) > 0 {
		text += ", where " + strings.Join(d.Where, " and ")
	}
	return text
}
