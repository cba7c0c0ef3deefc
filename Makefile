# The commands of this project. `make` alone says what there is.

.DEFAULT_GOAL := help

.PHONY: help build run test test-embedded faults bench check format lint docs fuzz fuzz-seeds fuzz-check clean

# What `make fuzz` runs, and for how long; the latter is for `make faults`, too.
TARGET ?= archive
SECONDS ?= 120

# How often `make faults` kills a server or cuts its power.
ROUNDS ?= 50

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the server for release: target/release/symbold
	cargo build --release --locked

run: ## Run the server from ./data on http://127.0.0.1:8000
	cargo run --release --locked

test: ## Run every test, on the embedded defaults and on a PostgreSQL, a Redis and an S3 server started for it
	tests/with-services tests/all

test-embedded: ## Run the tests that need no other server; the others say that they were left out
	cargo test --workspace --locked

faults: ## Kill servers, cut their power, spoil what they depend on, and load them: ROUNDS=50 SECONDS=120
	FAULTS_ROUNDS=$(ROUNDS) FAULTS_SECONDS=$(SECONDS) tests/with-services cargo test --locked --test faults -- \
		--test-threads=1

bench: ## Compare ways of doing things, beside servers of their own: FULL=1 for whole inputs, STUDY=gzip for one study
	BENCH_FULL=$(FULL) tests/with-services cargo bench --workspace --locked --bench studies -- $(STUDY)

check: format lint docs ## Check formatting, lints and documentation

format: ## Check the formatting; `cargo fmt --all` mends it
	cargo fmt --all --check

lint: ## Run clippy; a warning is an error
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs: ## Build the documentation, private items included: target/doc/symbold/index.html
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

fuzz: fuzz/Cargo.lock fuzz-seeds ## Fuzz one parser: TARGET=archive SECONDS=120; needs nightly and cargo-fuzz
	mkdir -p fuzz/corpus/$(TARGET)
	cargo +nightly fuzz run $(TARGET) -- -max_total_time=$(SECONDS) -dict=fuzz/texts.dict

fuzz-seeds: ## Write the archives that fuzzing starts from to fuzz/corpus
	FUZZ_SEEDS=$(CURDIR)/fuzz/corpus/archive cargo test --locked -p strict-zip --lib tests::seeds

fuzz-check: fuzz/Cargo.lock ## Check that the fuzz targets compile, on stable
	cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target --all-targets -- -D warnings

# The same versions as in the workspace; cargo adds what only fuzzing needs.
fuzz/Cargo.lock: Cargo.lock
	cp $< $@

clean: ## Remove what was built; ./data stays
	cargo clean
