package auth_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
)

const claimsOfPaths = `{
	"role": "plain",
	"a": {"b": {"c": "nested"}, "dashed-name": "dashed", "n": 7, "x": null, "big": 9007199254740993},
	"roles": ["first", "second", "third", "other_author"],
	"https://example.com/role": {"key": "uri"},
	"'": "apostrophe", "\"": "quote", "é": "accent", "$x@1": "legacy", "🙂": "smile", "\t": "tab",
	"people": [
		{"name": "Ann", "age": 30, "role": "boss", "tags": ["x", "y"]},
		{"name": "Bob", "age": 20, "role": "hand"},
		{"name": "Cid", "age": 40, "role": "hand", "tags": []},
		"text", 7, [1]
	]
}`

func TestRolePath(t *testing.T) {
	for path, want := range map[string]string{
		"":                                  "plain",
		"$.role":                            "plain",
		"$['role']":                         "plain",
		`$["role"]`:                         "plain",
		"$ .role":                           "plain",
		"$.a.b.c":                           "nested",
		"$['a']['dashed-name']":             "dashed",
		"$[ 'a' ] [ 'b' ].c":                "nested",
		"$.a.n":                             "7",
		"$.a.big":                           "9007199254740993",
		"$.a.x":                             "null",
		"$.a.b":                             `{"c":"nested"}`,
		"$.roles[0]":                        "first",
		"$.roles[-1]":                       "other_author",
		"$.roles[1:]":                       "second",
		"$.roles[-2:]":                      "third",
		"$.roles[:1]":                       "first",
		"$.roles[::-1]":                     "other_author",
		"$.roles[2:0:-1]":                   "third",
		"$.roles[1 : 9 : 2]":                "second",
		"$.roles[::9007199254740991]":       "first",
		"$.roles[9,2]":                      "third",
		"$.roles.*":                         "first",
		"$.roles[*]":                        "first",
		"$.a.b.*":                           "nested",
		"$..c":                              "nested",
		"$..b.c":                            "nested",
		"$..*[0]":                           `{"age":30,"name":"Ann","role":"boss","tags":["x","y"]}`,
		"$..['key']":                        "uri",
		"$.é":                               "accent",
		"$['https://example.com/role'].key": "uri",
		`$['\'']`:                           "apostrophe",
		`$["\""]`:                           "quote",
		`$['\u00e9']`:                       "accent",
		`$['\uD83D\uDE42']`:                 "smile",
		`$['\t']`:                           "tab",

		"$.roles[?@ == 'second']":                       "second",
		"$.roles[?(@ == 'second')]":                     "second",
		"$.roles[?@ != 'first']":                        "second",
		"$.roles[?@ > 'p']":                             "second",
		"$.roles[?search(@, '_author$')]":               "other_author",
		"$.roles[?match(@, 'oth.*')]":                   "other_author",
		"$.roles[?match(@, 's')]":                       "",
		"$.roles[?length(@) == 5 && @ != 'first']":      "third",
		"$.roles[?@ == 'x' || @ == 'third']":            "third",
		"$.roles[?!(@ == 'first' || @ == 'second')]":    "third",
		"$.people[?@.name == 'Bob'].role":               "hand",
		"$.people[?@.age >= 40].name":                   "Cid",
		"$.people[?@.age < 3e1].name":                   "Bob",
		"$.people[?@.age == 30.0].name":                 "Ann",
		"$.people[?@.age <= 20].name":                   "Bob",
		"$.people[?@.tags].name":                        "Ann",
		"$.people[?!@.tags].role":                       "hand",
		"$.people[?@['tags'][0] == 'x'].name":           "Ann",
		"$.people[?@.tags == $.people[2].tags].name":    "Cid",
		"$.people[?count(@.*) == 3].name":               "Bob",
		"$.people[?count(@.tags[*]) == 2].name":         "Ann",
		"$.people[?length(@.tags) == 0].name":           "Cid",
		"$.people[?value(@..role) == 'hand'].name":      "Bob",
		"$.people[?@.none == @.nothing].name":           "Ann",
		"$.people[?@ == 7]":                             "7",
		"$.people[?@ == true]":                          "",
		"$.people[?@.a == null]":                        "",
		"$.a[?@ == null]":                               "null",
		"$.people[?search(@.name, @.name)].name":        "Ann",
		"$.people[?@.role == $.people[1]['role']].name": "Bob",
		"$.people[?!search(@.name, 'A|B')].role":        "hand",
		"$.people[?@.tags == $.people[0].tags].name":    "Ann",
		"$.people[?@ == $.people[1]].name":              "Bob",
		"$.people[?@ == $.people[5]][0]":                "1",
		"$.people[?@ > 6]":                              "7",
		"$.people[?@.age > 'x']":                        "",
		"$.people[?@ == false]":                         "",
		"$.people[?search(@.name, @.age)]":              "",
		`$.people[?search(@.name, $["'"])]`:             "",
		"$.people[?length(@.age) == 2]":                 "",
		`$['\u0022']`:                                   "quote",
		`$[?@ == '\b\f\n\r\t\/\\\'']`:                   "",
		"$[?@.b].b.c":                                   "nested",

		".role":                           "plain",
		".a.b.c":                          "nested",
		`."role"`:                         "plain",
		`.a."dashed-name"`:                "dashed",
		".$x@1":                           "legacy",
		".é":                              "accent",
		".roles[0]":                       "first",
		".roles[9]":                       "",
		`."https://example.com/role".key`: "uri",
		`.roles[?(@ == "second")]`:        "second",
		`.roles[?(@ != "first")]`:         "second",
		`.roles[?(@ ^== "oth")]`:          "other_author",
		`.roles[?(@ ==^ "author")]`:       "other_author",
		`.roles[?(@ *== "r_a")]`:          "other_author",
		`.roles[?(@=="third")]`:           "third",
		`.roles[?(@ == "none")]`:          "",
		`.people[?(@ != "")]`:             "text",
		".nobody":                         "",
		"$.nobody":                        "",
		"$.role.x":                        "",
		"$.role[0]":                       "",
		"$.a[0]":                          "",
		"$.roles.x":                       "",
		"$.role[*]":                       "",
		"$.role[0:]":                      "",
		"$.roles[::0]":                    "",
		"$.roles[-9]":                     "",
	} {
		t.Run(path, func(t *testing.T) {
			p, err := auth.ParseRolePath(path)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := p.Find(claimsOfPaths)
			if got != want || ok != (want != "") {
				t.Errorf("got %q %v, want %q", got, ok, want)
			}
		})
	}
}

func TestWholeClaims(t *testing.T) {
	p, err := auth.ParseRolePath("$")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := p.Find(`{"a":1}`); !ok || got != `{"a":1}` {
		t.Errorf("%q %v", got, ok)
	}
}

func TestRolePathErrors(t *testing.T) {
	for path, want := range map[string]string{
		"role":              `".name" or "[" is missing at character 1`,
		".":                 "a name of letters, digits, _, $ and @, or a quoted one, is missing at character 2",
		".a-b":              `".name" or "[" is missing at character 3`,
		`."a`:               `"\"" is missing at character 4`,
		".a[x]":             "an integer is missing or out of range at character 4",
		".a[-1]":            "an integer is missing or out of range at character 4",
		".a[0":              `"]" is missing at character 5`,
		`.a[?(x == "b")]`:   `"@" is missing at character 6`,
		`.a[?(@ = "b")]`:    "one of == != ^== ==^ *== is missing at character 8",
		`.a[?(@ == b)]`:     `"\"" is missing at character 11`,
		`.a[?(@ == "b"]`:    `")]" is missing at character 14`,
		`.a[?(@ == "b")].c`: "nothing may follow a filter, but something does at character 16",

		"$a":                                   `".name", "[" or ".." is missing at character 2`,
		"$.role ":                              `".name", "[" or ".." is missing at character 7`,
		"$.":                                   "a name or * is missing; names with other characters are written ['like-this'] at character 3",
		"$.1":                                  "a name or * is missing; names with other characters are written ['like-this'] at character 3",
		"$..":                                  "a name or * is missing; names with other characters are written ['like-this'] at character 4",
		"$.a-b":                                `".name", "[" or ".." is missing at character 4`,
		"$[":                                   "a quoted name, an index, a slice, * or ?filter is missing at character 3",
		"$[a]":                                 "a quoted name, an index, a slice, * or ?filter is missing at character 3",
		"$['a'":                                `"]" is missing at character 6`,
		"$['a":                                 "the closing ' is missing at character 5",
		`$['\x']`:                              "unknown escape at character 4",
		`$['\"']`:                              "unknown escape at character 4",
		`$['\uD83D']`:                          `\u without a character at character 4`,
		`$['\uD83D\u0041']`:                    `\u without a character at character 4`,
		`$['\uDE42']`:                          `\u without a character at character 4`,
		`$['\u00`:                              `\u without a character at character 4`,
		"$[01]":                                "an integer is missing or out of range at character 3",
		"$[-0]":                                "an integer is missing or out of range at character 3",
		"$[-]":                                 "an integer is missing or out of range at character 3",
		"$[9007199254740992]":                  "an integer is missing or out of range at character 3",
		"$[1:2:x]":                             `"]" is missing at character 7`,
		"$[?]":                                 "a value, a query that begins with @ or $, or a function is missing at character 4",
		"$[?'a']":                              "a comparison is missing, because a value alone is no test, at character 4",
		"$[?!'a']":                             "a comparison is missing, because a value alone is no test, at character 5",
		"$[?length(@)]":                        "a comparison is missing, because a value alone is no test, at character 4",
		"$[?@.* == 1]":                         "only queries of names and indices can be compared, unlike that at character 4",
		"$[?1 == @..a]":                        "only queries of names and indices can be compared, unlike that at character 9",
		"$[?match(@,'a') == 1]":                "match() and search() cannot be compared, but are at character 4",
		"$[?match(@,'(')]":                     "the regular expression is invalid at character 12",
		"$[?match(@)]":                         `"," is missing at character 11`,
		"$[?count('a') == 1]":                  "count() takes a query, not what is at character 10",
		"$[?other(@)]":                         `unknown word "other" at character 4`,
		"$[?length @]":                         `"(" is missing at character 10`,
		"$[?@ == 01]":                          `"]" is missing at character 10`,
		"$[?@ == -]":                           "a number is missing at character 9",
		"$[?@ = 1]":                            `"]" is missing at character 6`,
		"$[?(@ == 1]":                          `")" is missing at character 11`,
		"$[?@ == 1 &&]":                        "a value, a query that begins with @ or $, or a function is missing at character 13",
		"$.é[":                                 "a quoted name, an index, a slice, * or ?filter is missing at character 5",
		"$\xff":                                "the path is not valid UTF-8 at character 1",
		"$[?" + strings.Repeat("(", 100):       "the filter is nested too deeply at character 36",
		"$" + strings.Repeat("[?@", 100):       "the filter is nested too deeply at character 52",
		"$[?" + strings.Repeat("length(", 100): "the filter is nested too deeply at character 228",
		"$" + strings.Repeat(".a", 4000):       "the path is too long at character 4097",
	} {
		t.Run(path[:min(len(path), 20)], func(t *testing.T) {
			_, err := auth.ParseRolePath(path)
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); !strings.HasPrefix(got, want+" of ") {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func FuzzRolePath(f *testing.F) {
	for _, seed := range []string{
		"$.role", ".role", `.a."b c"[0]`, `.roles[?(@ ==^ "x")]`, "$['a','b'][::-2]..*",
		`$[?@.a == 'b' && !(length(@.c) >= 1e2 || search(@, "\u00e9"))]`, "$[?count(@..*) > 1][?value($.x) == null]",
	} {
		f.Add(seed, claimsOfPaths)
	}
	f.Fuzz(func(t *testing.T, path, object string) {
		p, err := auth.ParseRolePath(path)
		if err != nil {
			return
		}
		first, ok := p.Find(object)
		if again, okAgain := p.Find(object); again != first || okAgain != ok {
			t.Errorf("%q, then %q", first, again)
		}
	})
}
