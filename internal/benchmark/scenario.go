package main

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// scenario is one kind of request. Each request has a key, picked at random, in place of {key} in its path; with
// asCustomer the key is the customer whose token the request carries.
type scenario struct {
	name       string
	method     string // GET when empty
	body       string // JSON, its {key} of six digits
	path       string
	prefer     string
	asCustomer bool
	more       http.Header // further fields
	// keys is SQL for the lowest and the highest key.
	keys string
}

// keyMark stands for the key in paths and arguments.
const keyMark = "{key}"

// customers is how many different tokens there are.
const customers = 64

func scenarios() []scenario { return append(readScenarios(), writeScenarios()...) }

func readScenarios() []scenario {
	const page = "/products?select=id,sku,name,price,stock&category_id=eq.{key}&order=price,id&limit=25"
	const leaves = "select min(category_id), max(category_id) from shop.products"
	return []scenario{
		{
			name: "point read",
			path: "/products?select=id,sku,name,price,stock&id=eq.{key}",
			keys: "select min(id), max(id) from shop.products",
		},
		{name: "page of 25 rows", path: page, keys: leaves},
		{
			name: "embed, two levels deep",
			path: "/categories?select=id,name,products(id,name,price,reviews(rating,title,author))&id=eq.{key}" +
				"&products.order=price,id&products.limit=5&products.reviews.order=id",
			keys: leaves,
		},
		{name: "count=exact", path: page, prefer: "count=exact", keys: leaves},
		{
			name:       "JWT + RLS",
			path:       "/orders?select=id,status,placed_at&order=placed_at.desc,id&limit=10",
			asCustomer: true,
			keys:       "select 1, least(" + strconv.Itoa(customers) + ", max(id)) from shop.customers",
		},
	}
}

// targetOf is the path for a key.
func (s scenario) targetOf(key int) string {
	return strings.ReplaceAll(s.path, keyMark, strconv.Itoa(key))
}

// bodyOf is the body for a key.
func (s scenario) bodyOf(key int) string {
	return strings.ReplaceAll(s.body, keyMark, strconv.Itoa(key))
}

// header is what a request sends besides Host: as much as curl does.
func (s scenario) header() http.Header {
	h := http.Header{"User-Agent": {"benchmark"}, "Accept": {"application/json"}}
	if s.prefer != "" {
		h.Set("Prefer", s.prefer)
	}
	if s.body != "" {
		h.Set("Content-Type", "application/json")
	}
	maps.Copy(h, s.more)
	return h
}

// keyRange is the range that keys are picked from, both ends included.
type keyRange struct{ low, high int }

// sample picks n keys, spread evenly.
func (r keyRange) sample(n int) []int {
	n = min(n, r.high-r.low+1)
	keys := make([]int, n)
	for i := range keys {
		keys[i] = r.low + i*(r.high-r.low)/max(n-1, 1)
	}
	return keys
}
