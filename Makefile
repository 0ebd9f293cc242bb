# Kerbside: everything a person or a machine runs. `make` lists it.
#
# Long work belongs to scripts in tools/, cross/ and bench/; the Makefile only names it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The ONNX Runtime that tools/setup fetched; tests and the built program load it from here.
KERBSIDE_DEPS ?= $(CURDIR)/.deps
export KERBSIDE_ORT ?= $(KERBSIDE_DEPS)/onnxruntime/$(shell uname -m)/libonnxruntime.so.1.31.1
# Nothing of ours reports to the maker of ONNX Runtime, Python scripts included.
export ORT_DISABLE_TELEMETRY := 1
# Every crate but the end-to-end tests and the bench, without FFmpeg, OpenCV and ONNX Runtime.
PURE := --workspace --exclude kerbside-tests --exclude kerbside-bench --no-default-features

.PHONY: help docs setup build demo test test-pure lint deny docs-write fmt faults fuzz bench score arm64 arm64-check footage train clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing to build, test and demonstrate (Debian packages, ONNX Runtime)
	@tools/setup

build: setup ## build the release program: target/release/kerbside
	@cargo build --locked --release -p kerbside-agent --bins

demo: setup ## play a street scene over RTSP into the agent and watch incidents arrive over MQTT
	@tools/demo

test: setup footage ## everything that must pass: documentation, pure and full tests (KERBSIDE_ARGS filters the last)
	@tools/test

test-pure: ## the tests that need no C++ on the machine: rules, formats, journal, link
	@tools/test pure

faults: setup ## what it survives: every fault in full, a table and faults/results.json (FAULT=part: only that; root for the disks)
	@tools/faults $(FAULT)

fuzz: setup ## hostile input for all that reads: configuration, sensors, journal, models, commands (FUZZ_S=60)
	@tools/faults fuzz $(or $(FUZZ_S),60)

lint: setup ## formatting, clippy with and without the native parts, links of the code's documentation: warnings are errors
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@cargo clippy --locked $(PURE) --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --workspace

deny: setup ## dependency policy: licences, sources, bans, security advisories (KERBSIDE_ADVISORY_DB: a mirror of the database)
	@tools/deny

docs-write: ## put today's output into the documents' quoted sessions, and make their generated parts anew
	@cargo build --locked --workspace --bins
	@KERBSIDE_DOCUMENTS=write cargo test --locked --quiet -p kerbside-tests --test documents quoted_sessions
	@tools/documents --write

fmt: ## format the code
	@cargo fmt --all

bench: build footage ## measure against the bare decoder and detector; a table of ratios, bench/results.json
	@tools/setup build bench
	@bench/run

score: build footage ## how well it sees: every clip against its truth; tables, score/results.json, pictures
	@target/release/kerbside score test-videos --out score

footage: ## fetch the real footage that some tests use, by pinned hash
	@test-videos/fetch.sh

docs: ## build the book in English and Chinese into dist/docs, after checking every link
	@tools/docs

train: ## train the waste detector again: make train DATA=/path/to/garbage3 (hours; writes models/waste.*)
	@models/train/run.sh "$(DATA)"

arm64: ## build the arm64 program and pack dist/kerbside_VERSION_arm64.deb
	@cross/package

arm64-check: build ## replay a clip with the arm64 program under qemu and compare with this machine's incidents
	@cross/check

clean: ## remove what was built here (downloads in .deps stay)
	@rm -rf target dist demo-out score bench/results.json
