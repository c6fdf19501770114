package slipstream_test

import (
	"bytes"
	"context"
	"os"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// exampleDatabase is what the examples serve: a schema shop that the role visitor may use. Examples have no testing.TB,
// and they name roles as a reader would: they need a PostgreSQL of their own.
func exampleDatabase() (dsn string, drop func()) {
	dir, err := os.MkdirTemp("", "sl-")
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the server may run as another system user
		panic(err)
	}
	cluster, err := devdb.Start(context.Background(), devdb.Options{Dir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}})
	if err != nil {
		panic(err)
	}
	err = pg.ExecScript(context.Background(), cluster.DSN("postgres"), `
		create role visitor; create role authenticator login noinherit; grant visitor to authenticator;
		create schema shop; grant usage on schema shop to visitor;
		create table shop.product (id int primary key, name text not null, price numeric not null);
		create table shop.review (id int generated always as identity primary key, product_id int not null references shop.product, stars int not null check (stars between 1 and 5));
		insert into shop.product values (1, 'Teapot', 24.50), (2, 'Kettle', 39.90), (3, 'Tray', 12.00);
		insert into shop.review (product_id, stars) values (1, 5), (1, 4), (2, 5);
		grant select on all tables in schema shop to visitor; grant insert on shop.review to visitor;`)
	if err != nil {
		panic(err)
	}
	return cluster.DSNAs("authenticator", "postgres"), func() {
		_ = cluster.Stop(context.Background())
		_ = os.RemoveAll(cluster.Dir())
		_ = os.RemoveAll(dir)
	}
}

// oneLine joins the lines that PostgreSQL puts between the rows.
func oneLine(b []byte) string {
	return string(bytes.ReplaceAll(bytes.TrimSpace(b), []byte("\n "), nil))
}
