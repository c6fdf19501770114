package cache_test

import (
	"context"
	"fmt"

	"github.com/slipstream-go/slipstream/cache"
)

// A handler's answer is kept until the row that it was made of changes.
func ExampleGetOrLoad() {
	const films cache.Table = 16391 // the table's OID
	c := cache.New(cache.Options{})
	follow(c)

	title := func(ctx context.Context, id string) (string, error) {
		return cache.GetOrLoad(ctx, c, "title of film "+id, func(ctx context.Context, f *cache.Fill) (string, error) {
			f.Watch(films.Where(1, id)) // column 1 is the key
			fmt.Println("ask the database")
			return "Alien", nil
		})
	}

	for range 2 {
		fmt.Println(title(context.Background(), "7"))
	}
	c.Apply(cache.Change{Table: films, After: cache.Row{cache.DatumOf("7"), cache.DatumOf("Aliens")}})
	fmt.Println(c.Stats().Entries)
	// Output:
	// ask the database
	// Alien <nil>
	// Alien <nil>
	// 0
}

// follow stands for what follows the database's log: Slipstream does it.
func follow(c *cache.Cache) {
	c.Open()
	c.Heartbeat().Returned()
}
