# make demo   the main job, on a machine with nothing but a Rust toolchain
# make test   everything that must hold, against the real components (installs what it needs)
# make build  the static program, as it goes into containers
# make bench  footprint and speed, beside tini and dumb-init
# make lint   formatting, clippy, documentation, licences
# make docs   target/docs: man page, completions, schemas, the documentation of the code

HOST   := $(shell rustc -vV | sed -n 's/^host: //p')
TARGET := $(or $(CARGO_TARGET_DIR),target)
STATIC := $(TARGET)/$(HOST)/release/containerpilot

export CONTAINERPILOT_GIT_HASH := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: demo test build bench lint docs
.DEFAULT_GOAL := demo

demo:
	cargo build -p pilot -p catalog-server -p demo
	@examples/demo/run $(TARGET)/debug

# Relocations packed (120 kB less): understood by the start-up code of glibc 2.36 and later.
RELR := $(shell [ "$$(printf '%s\n' 2.36 "$$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)" | sort -V | head -1)" = 2.36 ] && echo -C link-arg=-Wl,-z,pack-relative-relocs)

# No tables for unwinding (470 kB less): see the script.
LEAN := -C link-arg=-Wl,--no-eh-frame-hdr -C link-arg=-Wl,-T,$(CURDIR)/scripts/no-unwind.ld

# Functions with the same code are one (45 kB less), where the linker can: that of Rust 1.90 and
# later on x86-64. Nothing here tells functions apart by their addresses.
FOLD = $(shell probe=$$(mktemp) && echo 'fn main() {}' | rustc -C link-arg=-Wl,--icf=all -o $$probe - 2>/dev/null && echo -C link-arg=-Wl,--icf=all; rm -f $$probe)

# With an explicit target build scripts and macros are built as usual: only our program is static.
AS_STATIC = RUSTFLAGS="-C target-feature=+crt-static $(LEAN) $(RELR) $(FOLD)" cargo build --release --target $(HOST)

build:
	$(AS_STATIC) -p pilot
	@cp $(STATIC) $(TARGET)/containerpilot && ls -l $(TARGET)/containerpilot

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	scripts/check-licences

test: lint build demo
	scripts/install-test-needs
	$(AS_STATIC) -p process --example last-words
	CONTAINERPILOT_STATIC=$(abspath $(STATIC)) CONSUL_BIN=$$(scripts/install-consul) \
	  cargo test --workspace

docs:
	cargo build -p pilot
	@scripts/build-docs $(TARGET)/debug/containerpilot $(TARGET)/docs
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	@rm -rf $(TARGET)/docs/code && cp -R $(TARGET)/doc $(TARGET)/docs/code

bench: build
	scripts/install-bench-needs
	cargo build --release -p catalog-server
	CONTAINERPILOT_STATIC=$(abspath $(STATIC)) CONSUL_BIN=$$(scripts/install-consul) \
	  cargo run --release -p benches
