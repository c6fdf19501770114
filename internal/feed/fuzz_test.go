package feed_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
)

// messages are a transaction on a table of two columns.
var messages = []string{
	"R\x00\x00\x00\x01public\x00t\x00d\x00\x02\x01id\x00\x00\x00\x00\x19\xff\xff\xff\xff\x00name\x00\x00\x00\x00\x19\xff\xff\xff\xff",
	"B" + eight + eight + "\x00\x00\x00\x07",
	"I\x00\x00\x00\x01N\x00\x02t\x00\x00\x00\x01at\x00\x00\x00\x02bc",
	"U\x00\x00\x00\x01K\x00\x02t\x00\x00\x00\x01anN\x00\x02t\x00\x00\x00\x01bu",
	"D\x00\x00\x00\x01O\x00\x02t\x00\x00\x00\x01bn",
	"T\x00\x00\x00\x01\x00\x00\x00\x00\x01",
	"M\x01" + eight + "ss.hb\x00\x00\x00\x00\x01x",
	"C\x00" + eight + eight + eight,
}

const eight = "\x00\x00\x00\x00\x00\x00\x00\x09"

// Whatever the stream brings is a transaction or an error.
func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := feed.NewDecoder(1, "id", "name")
		for _, m := range messages[:2] {
			if _, err := d.Decode([]byte(m)); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := d.Decode(data)
		if err != nil {
			return
		}
		if tx == nil {
			if tx, err = d.Decode([]byte(messages[len(messages)-1])); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range tx.Changes {
			if c.Old != nil && len(c.Old) != 2 || c.New != nil && len(c.New) != 2 {
				t.Errorf("rows of %d and %d columns", len(c.Old), len(c.New))
			}
		}
	})
}

// A transaction is the same to those who follow.
func FuzzRelayed(f *testing.F) {
	told := []string{"M\x01" + eight + "ss.refresh\x00\x00\x00\x00\x011", "M\x01" + eight + "ss.ddl\x00\x00\x00\x00\x01x"}
	for _, m := range append(told, messages...) {
		f.Add([]byte(m), true)
		f.Add([]byte(m), false)
	}
	commit := []byte(messages[len(messages)-1])
	before := [][]byte{[]byte(messages[1]), []byte(messages[0]), []byte(messages[2]), commit}
	f.Fuzz(func(t *testing.T, data []byte, late bool) {
		all := [][]byte{[]byte(messages[1]), data, []byte(messages[3]), commit}
		earlier := before
		if !late {
			all, earlier = append(slices.Clone(before), all...), nil
		}
		want, err := decode(feed.NewDecoder(1, "id", "name"), append(slices.Clone(earlier), all...))
		if err != nil {
			return // the session ends
		}
		relayed, err := feed.Relayed(earlier, all)
		if err != nil {
			t.Fatal(err)
		}
		following := feed.NewDecoder(1, "id", "name")
		following.OfRelayed()
		got, err := decode(following, relayed)
		if err != nil {
			t.Fatal(err)
		}
		if late {
			want = want[1:]
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("they get\n%+v of\n%+v", got, want)
		}
	})
}

func decode(d *feed.Decoder, all [][]byte) (txs []*feed.Transaction, err error) {
	for _, m := range all {
		tx, err := d.Decode(m)
		if err != nil {
			return nil, err
		}
		if tx != nil {
			txs = append(txs, tx)
		}
	}
	return txs, nil
}

func TestMessagesThatAreCutShortAreErrors(t *testing.T) {
	for i, m := range messages {
		for n := range len(m) {
			d := feed.NewDecoder(1, "id", "name")
			for _, before := range messages[:i] {
				if _, err := d.Decode([]byte(before)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := d.Decode([]byte(m[:n])); err == nil {
				t.Errorf("%q is accepted", m[:n])
			}
		}
	}
	d := feed.NewDecoder(1, "id", "name")
	for _, m := range []string{messages[2], messages[len(messages)-1], "X", ""} {
		if _, err := d.Decode([]byte(m)); err == nil {
			t.Errorf("%q is accepted outside of a transaction", m)
		}
	}
}

func TestDecodedRows(t *testing.T) {
	d := feed.NewDecoder(1, "id", "name")
	var tx *feed.Transaction
	for _, m := range messages {
		var err error
		if tx, err = d.Decode([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	for _, c := range tx.Changes {
		got += c.Kind.String() + row(c.Old) + row(c.New) + " "
	}
	if want := "insert()(a bc) update(a ?)(b ?) delete(b -)() truncate()() "; got != want || tx.Xid != 7 || tx.EndLSN != 9 {
		t.Errorf("got  %s\nwant %s\n%+v", got, want, tx)
	}
}
