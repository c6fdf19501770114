package openapi

import (
	"net/url"
	"slices"

	"github.com/slipstream-go/slipstream/internal/schema"
)

func (o *document31) paths() {
	o.members(`"/":{"get":{"operationId":"describe","tags":["Introspection"],"summary":"OpenAPI description (this document)",` +
		`"responses":{"200":{"description":"OK","content":{"application/openapi+json":{"schema":{"type":"object"}}}},` +
		`"default":{"$ref":"#/components/responses/Error"}}}}`)
	for _, r := range o.Relations {
		o.object("/"+url.PathEscape(r.Name.Name), func() { o.relation(r) })
	}
	for name, overloads := range o.overloads() {
		o.object("/rpc/"+url.PathEscape(name), func() { o.function(name, overloads) })
	}
}

// reading are the parameters of everything that returns rows.
var reading = []string{"select", "order", "limit", "offset", "and", "or"}

func (o *document31) relation(r *schema.Relation) {
	filters := filterKeys(r, nil)
	o.read(r, filters)
	if r.Insertable {
		o.insert(r)
	}
	if r.Insertable && r.Updatable && len(r.PrimaryKey) > 0 {
		o.upsert(r)
	}
	if r.Updatable {
		o.change(r, "patch", "update", "update", filters, "and", "or", "select", "columns", "preferChange")
	}
	if r.Deletable {
		o.change(r, "delete", "delete", "", filters, "and", "or", "select", "preferChange")
	}
}

func (o *document31) read(r *schema.Relation, filters []string) {
	o.operation(r, "get", "read", func() {
		o.refs("parameters", filters...)
		o.refs("parameters", reading...)
		o.refs("parameters", "cursor", "range", "rangeUnit", "preferRead")
	}, "", func() {
		o.returns(r, "200", "OK")
		o.returns(r, "206", "Partial Content")
	})
}

func (o *document31) insert(r *schema.Relation) {
	o.operation(r, "post", "insert", func() {
		o.refs("parameters", "select", "columns", "on_conflict", "preferInsert")
	}, "insert", func() {
		o.returns(r, "200", "OK, all rows existed")
		o.returns(r, "201", "Created")
	})
}

func (o *document31) upsert(r *schema.Relation) {
	o.operation(r, "put", "upsert", func() {
		o.primaryKey(r)
		o.refs("parameters", "select", "columns", "preferInsert")
	}, "insert", func() {
		o.returns(r, "200", "OK")
		o.returns(r, "201", "Created")
		o.empty()
	})
}

func (o *document31) change(r *schema.Relation, method, verb, body string, filters []string, parameters ...string) {
	o.operation(r, method, verb, func() {
		o.refs("parameters", filters...)
		o.refs("parameters", parameters...)
	}, body, func() {
		o.returns(r, "200", "OK")
		o.empty()
	})
}

// returns is an answer with rows of the relation.
func (o *document31) returns(r *schema.Relation, status, description string) {
	o.object(status, func() {
		o.ref("responses", componentKey(r.Name.Name)+".rows")
		o.field("description", description)
	})
}

func (o *document31) empty() { o.object("204", func() { o.ref("responses", "Empty") }) }

// operation writes one method of a relation; body is the variant of the relation's schema that is sent, if any.
func (o *document31) operation(r *schema.Relation, method, verb string, parameters func(), body string, responses func()) {
	key := componentKey(r.Name.Name)
	o.object(method, func() {
		o.field("operationId", key+"."+verb)
		o.heading(r.Name.Name, r.Description)
		o.parameters(method, parameters)
		if body != "" {
			o.body(key+"."+body, method == "post")
		}
		o.responses(responses)
	})
}

func (o *document31) parameters(method string, parameters func()) {
	o.array("parameters", func() {
		parameters()
		switch {
		case !o.Profile:
		case method == "get":
			o.refs("parameters", "acceptProfile")
		default:
			o.refs("parameters", "contentProfile")
		}
	})
}

func (o *document31) responses(success func()) {
	o.object("responses", func() {
		success()
		o.object("default", func() { o.ref("responses", "Error") })
	})
}

// body is a row or, where many is set, also several.
func (o *document31) body(key string, many bool) {
	o.object("requestBody", func() {
		o.bool("required", true)
		o.object("content", func() {
			if !many {
				o.media("application/json", func() { o.ref("schemas", key) })
				return
			}
			o.media("application/json", func() {
				o.array("oneOf", func() {
					o.refs("schemas", key)
					o.element(func() { o.list(func() { o.ref("schemas", key) }) })
				})
			})
			o.media("application/x-www-form-urlencoded", func() { o.ref("schemas", key) })
			o.media("text/csv", func() { o.field("type", "string") })
		})
	})
}

func (o *document31) media(typ string, schema func()) {
	o.object(typ, func() { o.object("schema", schema) })
}

func (o *document31) list(items func()) {
	o.field("type", "array")
	o.object("items", items)
}

// rows is the answer that returns rows of a relation.
func (o *document31) rows(r *schema.Relation) {
	key := componentKey(r.Name.Name)
	o.field("description", "Rows of "+r.Name.Name)
	o.headers("Content-Range", "Preference-Applied", "Location", "Link")
	o.object("content", func() {
		o.media("application/json", func() { o.list(func() { o.ref("schemas", key) }) })
		o.media("application/vnd.pgrst.object+json", func() { o.ref("schemas", key) })
		o.media("text/csv", func() { o.field("type", "string") })
		o.media("application/x-ndjson", func() { o.field("type", "string") })
	})
}

func (o *document31) headers(names ...string) {
	o.object("headers", func() {
		for _, n := range names {
			o.object(n, func() { o.ref("headers", n) })
		}
	})
}

// filters writes a parameter for every column.
func (o *document31) filters(r *schema.Relation) {
	for i := range r.Columns {
		c := &r.Columns[i]
		o.object(filterKey(r, c.Name), func() {
			o.field("name", c.Name)
			o.field("in", "query")
			o.optional("description", c.Description)
			o.members(`"schema":{"type":"string","examples":["eq.value","not.is.null"]}`)
		})
	}
}

func filterKey(r *schema.Relation, column string) string {
	return "rowFilter." + componentKey(r.Name.Name) + "." + componentKey(column)
}

// filterKeys are the filters of a relation, less those that would be taken for something else: a parameter of the
// grammar, or one of the arguments.
func filterKeys(r *schema.Relation, arguments []string) []string {
	keys := make([]string, 0, len(r.Columns))
	for i := range r.Columns {
		if name := r.Columns[i].Name; !reserved(name) && !slices.Contains(arguments, name) {
			keys = append(keys, filterKey(r, name))
		}
	}
	return keys
}

func reserved(name string) bool {
	return slices.Contains(reading, name) || name == "columns" || name == "on_conflict" || name == "cursor"
}

// primaryKey are the filters that an upsert names its row with.
func (o *document31) primaryKey(r *schema.Relation) {
	for _, column := range r.PrimaryKey {
		o.element(func() {
			o.field("name", column)
			o.members(`"in":"query","required":true,"schema":{"type":"string","pattern":"^eq\\."}`)
		})
	}
}
