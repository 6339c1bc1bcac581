# Everything that people and CI run. `make` alone lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# How long `make demo` runs; FOR=0 runs until Ctrl-C.
FOR     ?= 30s
# Where lint tools are installed: outside the tree and the user's own GOBIN.
TOOLS   ?= $(HOME)/.cache/aictail/tools
# Part of Debian's package prometheus.
PROMTOOL ?= promtool
# The linter's version is pinned, so that a new one cannot break the build unasked.
GOLANGCI_VERSION := v2.15.0

.PHONY: help build demo test race crash soak integration bench fuzz docs alerts lint fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the static binary ./aictail
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o aictail ./cmd/aictail

demo: ## run the daemon on a simulated tenant for 30 seconds (FOR=5m, FOR=0 for ever)
	@$(GO) run ./cmd/aictail demo --for $(FOR)

test: ## run all tests (a few minutes the first time)
	$(GO) test ./...

race: ## run all tests with the race detector (needs a C compiler)
	$(GO) test -race ./...

crash: ## twenty kill -9 under load with 5 % faulty answers, every entry once (a minute)
	TEST_CRASHES=20 $(GO) test -run 'TestCrash' -count=1 -v -timeout 20m ./cmd/aictail

soak: ## kill -9 every few seconds at a limit of 28: simulated hours, then ten real minutes (half an hour)
	TEST_SOAK=240 $(GO) test -run 'TestComplete' -count=1 -v -timeout 60m ./tailer
	TEST_SOAK=10 $(GO) test -run 'TestSoak' -count=1 -v -timeout 60m ./cmd/aictail

integration: ## run the tests that need real servers (Kafka, Elasticsearch, OpenSearch); see docs/development.md
	TEST_SERVERS=1 $(GO) test -run '^TestReal' -count=1 -v -p 1 -timeout 20m ./sinks/... ./cmd/aictail/...

bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## fuzz every parser for half a minute each
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
	  for n in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
	    $(GO) test -run '^$$' -fuzz "^$$n\$$" -fuzztime 30s ./$$(dirname $$f) || exit 1; \
	  done; \
	done

docs: ## write docs/metrics.md from the code
	$(GO) test -run '^TestMetrics$$' -count=1 ./cmd/internal/service -update

alerts: ## check and test the Prometheus rules and the dashboard's queries (needs promtool)
	$(PROMTOOL) check rules deploy/prometheus/recording.yaml deploy/prometheus/alerts.yaml
	$(PROMTOOL) test rules deploy/prometheus/tests/*.yaml
	PROMTOOL=$(PROMTOOL) $(GO) test -run '^TestAlerts|^TestDashboard' -count=1 ./cmd/internal/service

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION) ## run gofmt, go vet and the linter
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'these files need gofmt: make fmt'; exit 1; }
	$(GO) vet ./...
	$< run ./...

$(TOOLS)/golangci-lint-$(GOLANGCI_VERSION):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-lint $@

fmt: ## format the code
	gofmt -w .

clean: ## remove what the targets made
	rm -f aictail
