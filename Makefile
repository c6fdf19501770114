# "make" lists the targets. CI runs the same ones (.ci/run).
SHELL := /bin/bash
.DEFAULT_GOAL := help

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 20s
GO       ?= go

.PHONY: help dev build test check lint generate fuzz conformance promises bench bench-stream bench-inserts bench-bulk bench-cache bench-load bench-overload profile clean deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: deps build ## build, then serve a private PostgreSQL with sample data; ARGS="--reset" and the like
	bin/slipstream dev $(ARGS)

build: ## build bin/slipstream
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/slipstream ./cmd/slipstream

test: deps ## run all tests against a real PostgreSQL, DATABASE_URL's or else a private one, a Redis and a Chromium; ARGS="-race -run X"
	@scripts/deps.sh redis chromium
	-@scripts/deps.sh node # without it, the test of the JavaScript client is left out
	$(GO) test -timeout 20m $(ARGS) ./...

check: lint test ## what must pass before a commit: lint, generated files, tests

lint: ## gofmt, go vet, staticcheck and the others of .golangci.yml
	$(GO) run $(GOLANGCI) run ./...

generate: ## write the files that are made from code: docs/configuration.md
	$(GO) test . -run '^TestReference$$' -update

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

conformance: build ## replay PostgREST's cases, fail on what testdata/conformance-gaps.txt does not list: CASES=DIR DB_URI=... ARGS="--filter X"
	@test -n '$(CASES)' -a -n '$(DB_URI)' || { echo 'usage: make conformance CASES=DIR DB_URI=postgres://... [ARGS=...]' >&2; exit 2; }
	python3 scripts/conformance.py '$(CASES)' '$(DB_URI)' '$(CURDIR)/bin/slipstream' $(ARGS)

promises: deps ## try for hours to break what is promised of the cache and of overload, write docs/promises.md; ARGS="-run X", SEED=1
	mkdir -p bin && rm -f bin/promises.json
	PROMISES=full PROMISES_FINDINGS='$(CURDIR)/bin/promises.json' $(GO) test -count 1 -v -timeout 6h $(ARGS) ./internal/promises

bench: build ## measure beside pgbench, write docs/benchmarks.md; ARGS="-rounds 1 -seconds 2", "-strict"
	scripts/deps.sh postgres wrk
	$(GO) run ./internal/benchmark $(ARGS)

bench-stream: build ## the same for streams of a gigabyte
	scripts/deps.sh postgres
	$(GO) run ./internal/benchmark -stream $(ARGS)

bench-inserts: build ## the same for inserts, with and without transactions that they share
	scripts/deps.sh postgres wrk
	$(GO) run ./internal/benchmark -inserts $(ARGS)

bench-bulk: build ## the same for 100,000 rows in one request, beside COPY
	scripts/deps.sh postgres
	$(GO) run ./internal/benchmark -bulk $(ARGS)

bench-cache: build ## the same for answers from the cache, beside nginx's and Varnish's
	scripts/deps.sh postgres wrk nginx varnish
	$(GO) run ./internal/benchmark -cache $(ARGS)

bench-load: ## measure the load generator of "slipstream bench" beside wrk
	scripts/deps.sh wrk nginx
	$(GO) run ./internal/benchmark -load $(ARGS)

bench-overload: build ## measure what three times as many requests get as the database can do, with and without protection
	scripts/deps.sh postgres
	$(GO) run ./internal/benchmark -overload $(ARGS)

profile: build ## load the server and write cmd/slipstream/default.pgo, with which the compiler builds it
	scripts/deps.sh postgres wrk
	$(GO) run ./internal/benchmark -profile cmd/slipstream/default.pgo $(ARGS)

clean: ## remove what was built, and the data of "make dev"
	rm -rf bin .slipstream

deps: # what is missing on this machine, unless a running server is given
	@test -n "$$DATABASE_URL" || scripts/deps.sh postgres
