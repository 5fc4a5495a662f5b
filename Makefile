# The commands of this house. `make test` is all of CI.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build testenv fmt lint deny test test-long generate bench

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the plugin, optimised
	cargo build --locked --release

testenv: ## Build the test control plane once, unless KUBEBUILDER_ASSETS names one
	tests/testenv/build.sh

fmt: ## Format every tracked Rust file
	git ls-files -z -- '*.rs' | xargs -0 rustfmt --edition 2024

lint: ## Check format and lints
	git ls-files -z -- '*.rs' | xargs -0 rustfmt --edition 2024 --check
	cargo clippy --locked --all-targets -- -D warnings

deny: ## Check licences, versions and sources of the dependencies
	tests/tools/deny.sh

test: testenv lint deny ## Check and test everything
	cargo test --locked

test-long: testenv ## Kill it at every request, spoil each in some ways, 200 random worlds: an hour or two
	PROGRC_LONG=1 cargo test --locked --test faults --test worlds -- --nocapture

generate: ## Write the generated files: manual, completions, schemas
	cargo run --quiet --locked --bin kubectl-progrc -- __generate

bench: ## Measure
	bench/run.sh
