# make run     builds ./fairway and starts it with the root Caddyfile
# make test    runs every test; as root on Debian it installs what they need
# make lint    vet, staticcheck, golangci-lint
# make check-examples   reads the Dockerfiles and examples/ as what they are for does
# make bench   requests a second against file_server, respond and nginx [BENCH_SECONDS=n]
# make prove CLAIM=main.5 [SIZE=n] [SEED=n]   runs a claim at the issue's size, appends to docs/proofs.md
SHELL := bash
.DEFAULT_GOAL := help

TAGS := nobadger,nomysql,nopgx
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './examples/*' -not -path '*/node_modules/*') go.mod go.sum xcaddy.sh

.PHONY: help run test unit e2e lint prove bench clean check-tools

help:
	@sed -n 's/^# //p' Makefile

fairway: $(SOURCES)
	@./xcaddy.sh

run: check-go fairway
	@exec ./fairway run --config Caddyfile

.PHONY: check-go
check-go:
	@command -v go >/dev/null || { echo "make run needs Go 1.26 or later: https://go.dev/dl/"; exit 1; }
	@command -v git >/dev/null || { echo "make run needs git"; exit 1; }

# The binary of the tests: the same build with the race detector and the points at which
# the kill tests end the process.
bin/fairway-test: $(SOURCES)
	@OUTPUT=bin/fairway-test TAGS=crashpoints RACE=1 ./xcaddy.sh

test: check-tools
	@go vet -tags $(TAGS) ./...
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e

# The OpenID Connect server of the tests, at the version of its go.mod.
bin/op: internal/tools/op/go.mod internal/tools/op/go.sum
	@cd internal/tools/op && go build -o ../../../bin/op github.com/zitadel/oidc/v3/example/server

# The S3 service of the tests, by its own go.mod: some minutes, once.
bin/versitygw:
	GOBIN=$(CURDIR)/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

# What spoils the ways between processes in the tests.
bin/toxiproxy-server:
	GOBIN=$(CURDIR)/bin go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0 && mv bin/server $@

unit: bin/op bin/versitygw
	go test -race -tags $(TAGS) $$(go list ./... | grep -v /internal/e2e)
	go test -race -tags $(TAGS),crashpoints -run Crash $$(grep -l '^//go:build crashpoints' $$(git ls-files '*_test.go') | xargs -n1 dirname | sort -u | sed 's|^|./|')

e2e: bin/fairway-test fairway bin/versitygw bin/toxiproxy-server
	go test -race -tags $(TAGS) -timeout 40m -v ./internal/e2e $(ARGS)

prove: check-tools bin/fairway-test fairway bin/versitygw bin/toxiproxy-server
	@[ -n "$(CLAIM)" ] || { echo "usage: make prove CLAIM=main.5 [SIZE=n] [SEED=n]"; exit 2; }
	go test -tags $(TAGS) -timeout 170m -v -count=1 ./internal/e2e -run 'TestClaims/^$(CLAIM)$$' \
		-prove -size $(or $(SIZE),0) -seed $(or $(SEED),0) -proofs $(CURDIR)/docs/proofs.md

# What the tests need beside Go: a C compiler for the race detector, git with its HTTP
# backend, Node with npm for the example sites, a browser.
check-tools:
	@./internal/e2e/tools.sh

lint:
	go vet -tags $(TAGS) ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@cd internal/tools && go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck -tags $(TAGS) ./...

# Settings and addresses are a test of `make unit`; this is what needs other programs' libraries, in
# a module of its own, and terraform, if it is installed [PLUGINS=folder of its providers].
.PHONY: check-examples
check-examples:
	cd internal/tools/examples && go vet ./... && go test -count=1 ./...
	@if command -v terraform >/dev/null; then cd examples/aws && terraform fmt -check -diff && \
		terraform init -backend=false -input=false $(if $(PLUGINS),-plugin-dir=$(PLUGINS)) >/dev/null && terraform validate; fi

# Ratios against peers, both measured in one run: docs/benchmarks.md.
bench: check-tools fairway
	go test -tags $(TAGS) -timeout 60m -count=1 ./internal/e2e -v -run 'TestRatios' -ratios $(or $(BENCH_SECONDS),5) | grep -v '^[=-]'
	go test -run '^$$' -bench . -benchmem ./internal/edge ./internal/blob ./internal/routes

clean:
	rm -rf fairway bin
