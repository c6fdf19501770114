package slipstream_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream"
)

// A data API on a database, in a program of one's own.
func Example() {
	database, drop := exampleDatabase()
	defer drop()

	ctx, cancel := context.WithCancel(context.Background())
	server, err := slipstream.New(ctx, slipstream.Config{
		DBURI:           database, // postgres://authenticator:…@db.example/shop
		DBSchemas:       []string{"shop"},
		DBAnonRole:      "visitor",
		ServerPort:      slipstream.AnyPort,
		AdminServerPort: slipstream.NoPort,
		AccessLog:       "off",
		Logger:          slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	for server.Ready(ctx) != nil { // the schema is being read
		time.Sleep(10 * time.Millisecond)
	}

	fmt.Println(send("GET", "http://"+server.Addr()+"/product?select=name,price&order=price.desc&limit=2"))
	fmt.Println(send("GET", "http://"+server.Addr()+"/product?select=name,review(stars)&id=eq.1"))

	cancel() // requests in flight are answered first
	fmt.Println(<-ended)
	// Output:
	// 200 [{"name":"Kettle","price":39.90}, {"name":"Teapot","price":24.50}]
	// 200 [{"name":"Teapot","review":[{"stars": 5}, {"stars": 4}]}]
	// <nil>
}

// A handler of the program's own sees who asks, and works on the database under that caller's rights.
func ExampleServer_Handle() {
	database, drop := exampleDatabase()
	defer drop()

	ctx, cancel := context.WithCancel(context.Background())
	server, err := slipstream.New(ctx, slipstream.Config{
		DBURI:           database,
		DBSchemas:       []string{"shop"},
		DBAnonRole:      "visitor",
		ServerPort:      slipstream.AnyPort,
		AdminServerPort: slipstream.NoPort,
		AccessLog:       "off",
		Logger:          slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	server.Handle("POST /vote/{product}/{stars}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := slipstream.CallerFrom(r.Context())
		var average string
		// It commits when the function returns nil, and is rolled back otherwise.
		err := slipstream.DBFrom(r.Context()).Transaction(r.Context(), slipstream.ReadWrite, func(tx slipstream.Tx) error {
			_, err := tx.Exec(r.Context(), "insert into review (product_id, stars) values ($1, $2)", r.PathValue("product"), r.PathValue("stars"))
			if err != nil {
				return err
			}
			return tx.QueryRow(r.Context(), "select round(avg(stars), 2)::text from review where product_id = $1", r.PathValue("product")).Scan(&average)
		})
		if err != nil {
			http.Error(w, "that did not work", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s, the average is %s now", caller.Role, average)
	}))
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	for server.Ready(ctx) != nil {
		time.Sleep(10 * time.Millisecond)
	}

	fmt.Println(send("POST", "http://"+server.Addr()+"/vote/1/3"))
	fmt.Println(send("POST", "http://"+server.Addr()+"/vote/1/9")) // a check of the table refuses it
	fmt.Println(send("GET", "http://"+server.Addr()+"/review?product_id=eq.1&select=stars"))

	cancel()
	fmt.Println(<-ended)
	// Output:
	// 200 visitor, the average is 4.00 now
	// 400 that did not work
	// 200 [{"stars":5}, {"stars":4}, {"stars":3}]
	// <nil>
}

// The configuration of a deployed program comes from its environment, under Slipstream's names or PostgREST's.
func ExampleLoad() {
	config, warnings, err := slipstream.Load(slipstream.Sources{Env: []string{ // os.Environ()
		"DATABASE_URL=postgres://authenticator@db.example/shop",
		"SLIPSTREAM_DB_MAX_ROWS=1000",
		"PGRST_DB_SCHEMAS=shop, public",
		"PGRST_DB_ANON_ROLE=visitor",
	}})
	fmt.Println(config.DBURI, config.DBSchemas, config.DBAnonRole, config.DBMaxRows, warnings, err)

	_, _, err = slipstream.Load(slipstream.Sources{Env: []string{"PGRST_DB_MAX_ROWS=many"}})
	fmt.Println(err)
	// Output:
	// postgres://authenticator@db.example/shop [shop public] visitor 1000 [] <nil>
	// PGRST_DB_MAX_ROWS: "many" is not a whole number
}

// send gives status and body of an answer.
func send(method, url string) string {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, oneLine(body))
}
