package devdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Options say where a cluster lives and how it runs.
type Options struct {
	// Dir holds the data, the socket and the log. It is created when missing.
	// Required.
	Dir string
	// Reset throws away the data of an earlier run first.
	Reset bool
	// Primary makes a new cluster a streaming standby of another one that runs, to be given the same Settings and Superuser.
	Primary *Cluster
	// Superuser is the name of the database superuser; "postgres" when empty.
	// It is fixed when the data directory is made.
	Superuser string
	// TCP makes the server listen on a free port of 127.0.0.1 too, with a
	// password (see TCPDSN).
	TCP bool
	// Settings are server settings (postgresql.conf names) on top of the
	// defaults of this package.
	Settings map[string]string
	// Logger is told what is being done; nobody when nil.
	Logger *slog.Logger
}

// Cluster is a running PostgreSQL server.
type Cluster struct {
	place     place
	server    *server
	lock      *dirLock
	logger    *slog.Logger
	superuser string
	socketDir string
	password  string
	port      int
	tcp       bool
	version   int
}

// ErrInUse is what Start and Remove return when another process runs a cluster
// in the directory.
var ErrInUse = errors.New("directory is in use by another running slipstream")

// How long a server may take to come up (recovery after a crash included),
// and to end at each level of urgency.
const (
	startTimeout     = 60 * time.Second
	fastTimeout      = 10 * time.Second
	immediateTimeout = 5 * time.Second
)

// Start makes the cluster where there is none yet, starts its server and
// returns once it takes connections. ctx bounds the start only: the server
// runs until Stop.
//
// It returns ErrInUse when the directory has a live owner. The server of an
// owner that is gone is stopped and replaced.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Dir == "" {
		return nil, errors.New("start PostgreSQL: no directory given")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Superuser == "" {
		opts.Superuser = "postgres"
	}
	c, err := start(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL in %s: %w", opts.Dir, err)
	}
	return c, nil
}

func start(ctx context.Context, opts Options) (_ *Cluster, err error) {
	bins, err := installations()
	if err != nil {
		return nil, err
	}
	place, err := preparePlace(opts.Dir, bins[0], opts.Logger)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(place.lockFile())
	if err != nil {
		return nil, err
	}
	c := &Cluster{place: place, lock: lock, logger: opts.Logger, superuser: opts.Superuser, tcp: opts.TCP}
	defer func() {
		if err != nil {
			c.release()
		}
	}()
	if err := evict(ctx, place, opts.Logger); err != nil {
		return nil, err
	}
	if opts.Reset {
		if err := place.clear(); err != nil {
			return nil, err
		}
	}
	bin, err := c.initialize(ctx, bins, opts)
	if err != nil {
		return nil, err
	}
	if err := c.openDoors(); err != nil {
		return nil, err
	}
	c.version = bin.major
	c.server, err = launch(ctx, bin, place, c.settings(opts.Settings))
	return c, err
}

// openDoors prepares what the server is reached through: the socket's
// directory, and a port where TCP is wanted.
func (c *Cluster) openDoors() (err error) {
	if c.socketDir, err = c.place.makeSocketDir(); err != nil {
		return err
	}
	// The port is a part of the socket's name also where there is no TCP.
	c.port = 5432
	if !c.tcp {
		return nil
	}
	if c.password, err = c.place.readPassword(); err != nil {
		return err
	}
	c.port, err = freePort()
	return err
}

// settings are the server's settings: what a cluster of this package needs,
// then what its user asked for.
func (c *Cluster) settings(wanted map[string]string) map[string]string {
	s := map[string]string{
		"wal_level":         "logical",
		"shared_buffers":    "256MB",
		"max_wal_size":      "2GB",
		"log_destination":   "stderr",
		"log_line_prefix":   "%m [%p] ",
		"cluster_name":      "slipstream",
		"logging_collector": "off",
	}
	for name, value := range wanted {
		s[name] = value
	}
	s["port"] = strconv.Itoa(c.port)
	s["unix_socket_directories"] = quoteListItem(c.socketDir)
	s["unix_socket_permissions"] = "0700"
	s["listen_addresses"] = ""
	if c.tcp {
		s["listen_addresses"] = "127.0.0.1"
	}
	return s
}

// DSN is the URL of a database of the cluster, for its superuser, through the
// Unix socket.
func (c *Cluster) DSN(database string) string {
	return c.DSNAs(c.superuser, database)
}

// DSNAs is DSN for another role. Roles need no password on the socket: who can
// open it is decided by the file system.
func (c *Cluster) DSNAs(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	u.RawQuery = url.Values{"host": {c.socketDir}, "port": {strconv.Itoa(c.port)}}.Encode()
	return u.String()
}

// TCPDSN is DSN through TCP, with the superuser's password; "" unless
// Options.TCP was set.
func (c *Cluster) TCPDSN(database string) string {
	if !c.tcp {
		return ""
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.superuser, c.password), Path: "/" + database}
	u.Host = "127.0.0.1:" + strconv.Itoa(c.port)
	return u.String()
}

// Dir is where the cluster really lives: Options.Dir, or another place where
// the server's user cannot reach that one.
func (c *Cluster) Dir() string { return c.place.dir }

// LogFile is the path of the server's log.
func (c *Cluster) LogFile() string { return c.place.logFile() }

// Version is the server's major version.
func (c *Cluster) Version() int { return c.version }

// Done is closed when the server has ended, by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.server.done }

// Err says why the server ended by itself: nil while it runs and after Stop.
func (c *Cluster) Err() error { return c.server.err() }

// Stop ends the server: a fast shutdown, then, after ten seconds or at the end
// of ctx, an immediate one. It returns when the server is gone; stopping twice
// is harmless.
func (c *Cluster) Stop(ctx context.Context) error {
	err := c.server.stop(ctx)
	c.release()
	if err != nil {
		return fmt.Errorf("stop PostgreSQL in %s: %w", c.place.dir, err)
	}
	return nil
}

func (c *Cluster) release() {
	if c.socketDir != "" {
		c.place.removeSocketDir(c.socketDir)
	}
	c.lock.release()
}

// Remove ends a cluster whose owner is gone, if its server still runs, and
// deletes the directory. It returns ErrInUse when the owner lives.
func Remove(ctx context.Context, dir string, logger *slog.Logger) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("remove cluster: %w", err)
	}
	for _, p := range []place{{dir: dir}, {dir: refuge(dir)}} {
		if err := removePlace(ctx, p, logger); err != nil {
			return fmt.Errorf("remove cluster in %s: %w", p.dir, err)
		}
	}
	_ = os.Remove(refuges) // succeeds when that was the last in it
	return nil
}

func removePlace(ctx context.Context, p place, logger *slog.Logger) error {
	if _, err := os.Stat(p.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := acquire(p.lockFile())
	if err != nil {
		return err
	}
	defer lock.release()
	if err := evict(ctx, p, logger); err != nil {
		return err
	}
	return os.RemoveAll(p.dir)
}
