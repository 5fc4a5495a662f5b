#!/bin/sh
# Builds the release archive of one platform and records its sum, or publishes.
#
#   scripts/release.sh [build] [--binary FILE] [--target TRIPLE] [--out DIR] [--manifest FILE]
#   scripts/release.sh publish [--out DIR] [--manifest FILE]
#
# build    compiles for this machine (or TRIPLE; --binary takes a built file
#          instead), packs DIR/kubectl-progrc-vVERSION-OS-ARCH.tar.gz and writes
#          its sha256 into the krew manifest. A new version in Cargo.toml moves
#          the manifest to that version and sets every sum back to zeros.
# publish  uploads the archives of all platforms to a GitHub release with `gh`.
#          Refuses while a platform has no sum, or an archive does not match it.
#
# The archive depends on its files alone: fixed order, owner, modes and times
# (SOURCE_DATE_EPOCH, else the last commit of the sources, so that a commit of
# the sum changes nothing). It needs GNU tar for that.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
manifest=$root/krew-manifest.yaml
out=$root/target/release-archives
binary=
target=

fail() {
    echo "release: $*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0" >&2
    exit 2
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

# The version of the package, as a tag: v0.1.0.
tag() {
    sed -n 's/^version = "\(.*\)"$/v\1/p' "$root/Cargo.toml" | head -n 1
}

# A Rust target triple in the words of krew: linux-amd64.
platform() {
    case $1 in
        x86_64-*) arch=amd64 ;;
        aarch64-*) arch=arm64 ;;
        *) fail "no platform of the krew manifest is $1" ;;
    esac
    case $1 in
        *-linux-*) echo "linux-$arch" ;;
        *-apple-darwin) echo "darwin-$arch" ;;
        *-windows-*) echo "windows-$arch" ;;
        *) fail "no platform of the krew manifest is $1" ;;
    esac
}

# Archive and sum of every platform of the manifest, one a line.
sums() {
    awk '
        $1 == "uri:"    { n = split($2, part, "/"); name = part[n] }
        $1 == "sha256:" { gsub(/"/, "", $2); print name, $2 }
    ' "$manifest"
}

# The manifest with version $1; of another version it loses its sums.
set_version() {
    old=$(awk '$1 == "version:" { print $2 }' "$manifest")
    [ "$old" = "$1" ] && return 0
    zeros=$(printf '%064d' 0)
    awk -v old="$old" -v new="$1" -v zeros="$zeros" '
        function swap(line,   at, text) {
            while ((at = index(line, old)) > 0) {
                text = text substr(line, 1, at - 1) new
                line = substr(line, at + length(old))
            }
            return text line
        }
        $1 == "version:" || $1 == "uri:" { $0 = swap($0) }
        $1 == "sha256:" { sub(/sha256:.*/, "sha256: \"" zeros "\"") }
        { print }
    ' "$manifest" >"$manifest.new"
    mv "$manifest.new" "$manifest"
}

# The sum $2 under the uri that ends in archive $1.
set_sum() {
    awk -v archive="$1" -v sum="$2" '
        $1 == "uri:" { n = split($2, part, "/"); mine = part[n] == archive; seen += mine }
        $1 == "sha256:" && mine { sub(/sha256:.*/, "sha256: \"" sum "\"") }
        { print }
        END { exit seen == 1 ? 0 : 1 }
    ' "$manifest" >"$manifest.new" || fail "failed to find $1 in $manifest"
    mv "$manifest.new" "$manifest"
}

# Compiles for $1 without this machine's paths; prints where the binary is.
compile() {
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$root=. --remap-path-prefix=$cargo_home=cargo"
    (cd "$root" && cargo build --release --locked --target "$1" --target-dir target) >&2
    case $1 in
        *-windows-*) echo "$root/target/$1/release/kubectl-progrc.exe" ;;
        *) echo "$root/target/$1/release/kubectl-progrc" ;;
    esac
}

build() {
    version=$(tag)
    triple=${target:-$(rustc -vV | sed -n 's/^host: //p')}
    name=$(platform "$triple")
    [ -n "$binary" ] || binary=$(compile "$triple")
    [ -f "$binary" ] || fail "$binary is not a file"
    case $name in
        windows-*) bin=kubectl-progrc.exe shim=kubectl_complete-progrc.cmd ;;
        *) bin=kubectl-progrc shim=kubectl_complete-progrc ;;
    esac
    mkdir -p "$out"
    archive=kubectl-progrc-$version-$name.tar.gz
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    # cat, not cp: a link is packed as the file that it names.
    cat "$binary" >"$stage/$bin"
    cat "$root/completions/$shim" >"$stage/$shim"
    cat "$root/LICENSE" >"$stage/LICENSE"
    chmod 755 "$stage/$bin" "$stage/$shim"
    chmod 644 "$stage/LICENSE"
    pack "$stage" "$out/$archive" "$bin" "$shim" LICENSE
    set_version "$version"
    set_sum "$archive" "$(sha256 "$out/$archive")"
    echo "$out/$archive"
}

# The files $3… of directory $1 as archive $2.
pack() {
    dir=$1 file=$2
    shift 2
    tar=tar
    command -v gtar >/dev/null 2>&1 && tar=gtar
    sources="src completions Cargo.toml Cargo.lock LICENSE"
    # shellcheck disable=SC2086
    epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct -- $sources 2>/dev/null || echo 0)}
    "$tar" --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$epoch" \
        -C "$dir" -cf "$dir/archive.tar" "$@"
    gzip -n <"$dir/archive.tar" >"$file"
}

publish() {
    version=$(tag)
    [ "$(awk '$1 == "version:" { print $2 }' "$manifest")" = "$version" ] ||
        fail "the krew manifest is not at $version: build first"
    missing=$(sums | awk '$2 ~ /^0+$/ { print $1 }' |
        sed "s/^kubectl-progrc-$version-//; s/\.tar\.gz\$//" | tr '\n' ' ' | sed 's/ $//')
    [ -z "$missing" ] || fail "no archive was built for: $missing"
    set --
    for archive in $(sums | cut -d ' ' -f 1); do
        [ -f "$out/$archive" ] || fail "$out/$archive is missing"
        [ "$(sums | awk -v a="$archive" '$1 == a { print $2 }')" = "$(sha256 "$out/$archive")" ] ||
            fail "$out/$archive does not match its sum in the krew manifest"
        set -- "$@" "$out/$archive"
    done
    gh release create "$version" --verify-tag --title "$version" "$@" "$manifest"
}

command=build
case ${1:-} in
    build | publish) command=$1 && shift ;;
esac
while [ $# -gt 0 ]; do
    case $1 in
        --binary | --target | --out | --manifest) [ $# -ge 2 ] || usage ;;
        *) usage ;;
    esac
    case $1 in
        --binary) binary=$2 ;;
        --target) target=$2 ;;
        --out) out=$2 ;;
        --manifest) manifest=$2 ;;
    esac
    shift 2
done
"$command"
