package slipstream

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/httpcache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/rest"
)

// followed is what the feed follows, as Beat.Source, from the heartbeat that showed it until something makes it uncertain.
type followed struct {
	source [sha256.Size]byte
	term   uint64
}

// share prepares for sharing entries through a Redis.
func (k *caching) share(cfg Config, client *redis.Client) (err error) {
	if k.program, err = programDigest(); err != nil {
		return err
	}
	k.tier, err = client.Tier(cfg.sharedKey("entries"))
	return err
}

// seen is told the source of each heartbeat, by those who hold mu.
func (k *caching) seen(b feed.Beat) {
	if !k.live || k.changing || k.stale || k.renewing || b.Source == [sha256.Size]byte{} {
		return
	}
	if f := k.followed.Load(); f == nil || f.source != b.Source {
		k.term++
		k.followed.Store(&followed{b.Source, k.term})
	}
}

// namespace is what answers have in common that instances of a configuration may share.
func (k *caching) namespace(cfg Config) func() httpcache.Namespace {
	if k.tier == nil {
		return nil
	}
	own := sha256.Sum256(append(k.program[:], cfg.answersDigest()...))
	return func() httpcache.Namespace {
		f := k.followed.Load()
		if f == nil {
			return httpcache.Namespace{}
		}
		return httpcache.Namespace{ID: sha256.Sum256(append(f.source[:], own[:]...)), Term: f.term}
	}
}

// ownOptions begin the names of options that have no influence on answers to those who may have them.
var ownOptions = [...]string{
	"db-uri", "db-pool", "db-channel", "db-prepared-statements", "jwt-", "cursor-secret", "server-", "admin-server-",
	"overload-protection", "priorit", "tenant-claim", "request-timeout", "degrade", "limits",
	"db-replicas", "cache-mode", "cache-memory", "cache-db-uri", "cache-status", "cache-slots", "cache-purge-", "redis-url", "log-", "access-log", "otlp-",
}

// answersDigest is a hash of all options but those. What the login role and the settings in db-uri do is in digestOf.
func (c Config) answersDigest() []byte {
	hash := sha256.New()
	for _, o := range optionTable() {
		if slices.ContainsFunc(ownOptions[:], func(prefix string) bool { return strings.HasPrefix(o.name, prefix) }) {
			continue
		}
		switch v := o.bind(&c).(type) {
		case settings, list: // their texts may have commas
			_, _ = fmt.Fprintf(hash, "%s %q\n", o.name, v.plain())
		default:
			_, _ = fmt.Fprintf(hash, "%s %q\n", o.name, v.String())
		}
	}
	return hash.Sum(nil)
}

// digestOf is the catalog's Digest, read in one of the sessions that answer requests.
func digestOf(ctx context.Context, q pg.Querier, c *rest.Catalog) (digest [sha256.Size]byte, err error) {
	schema, err := c.Schema.Digest()
	if err != nil {
		return digest, err
	}
	session, err := pg.SessionDigest(ctx, q)
	if err != nil {
		return digest, err
	}
	roles, err := json.Marshal(c.Roles)
	if err != nil {
		return digest, fmt.Errorf("hash the settings of roles: %w", err)
	}
	return sha256.Sum256(append(append(schema[:], session...), roles...)), nil
}

// programDigest tells programs apart that may answer differently: by what they were built from or, where the toolchain does
// not know that, by the file that runs.
func programDigest() (digest [sha256.Size]byte, err error) {
	hash := sha256.New()
	info, ok := debug.ReadBuildInfo()
	if ok {
		_, _ = io.WriteString(hash, info.String())
	}
	if !ok || !pinned(info) {
		path, err := os.Executable()
		if err != nil {
			return digest, fmt.Errorf("find the program: %w", err)
		}
		file, err := os.Open(path)
		if err != nil {
			return digest, fmt.Errorf("read the program: %w", err)
		}
		defer func() { _ = file.Close() }()
		if _, err := io.Copy(hash, file); err != nil {
			return digest, fmt.Errorf("read the program: %w", err)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// pinned reports whether the sources of a program are known: a module of a known sum, or a commit with nothing changed.
func pinned(info *debug.BuildInfo) bool {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return info.Main.Sum != "" || settings["vcs.revision"] != "" && settings["vcs.modified"] == "false"
}

// sharing counts what comes and goes by the tier; nil without one.
func (k *caching) sharing(st *cache.Stats) *CacheSharing {
	if k.tier == nil {
		return nil
	}
	sent := k.tier.Stats()
	out := &CacheSharing{
		Away: sent.Away, Hits: st.Adopted, Refused: map[string]uint64{}, Sent: sent.Sent, Dropped: sent.Dropped, Failed: sent.Failed,
	}
	for r, n := range st.Refused {
		out.Refused[r.String()] = n
	}
	return out
}
