#!/bin/sh
# Checks the licences, the versions and the sources of all dependencies by
# deny.toml. The advisory database is not asked: the check gives the same answer
# for the same Cargo.lock, and needs no network beyond the crates registry, once
# to install the tool and the locked crates.
set -eu
version=0.20.2
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
deny=$root/target/tools/bin/cargo-deny

is_wanted() {
    [ "$("$1" --version 2>/dev/null)" = "cargo-deny $version" ]
}

if ! is_wanted "$deny"; then
    if is_wanted cargo-deny; then
        deny=cargo-deny
    else
        cargo install --locked --root "$root/target/tools" --version "$version" cargo-deny
    fi
fi
cd "$root"
# The crates of all platforms, also of those that this machine does not build.
cargo fetch --locked --quiet
exec "$deny" --offline --locked --all-features check --hide-inclusion-graph licenses bans sources
