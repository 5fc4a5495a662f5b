#!/bin/sh
# Builds the test control plane into DIR (default target/testenv/bin) from the
# published Go modules named in go.mod. A binary that is already there is kept
# as long as go.sum has not changed, also after an interrupted run; one build
# runs at a time, which needs about 3 GB of memory.
#
# Without DIR nothing is built if KUBEBUILDER_ASSETS names the binaries to use.
set -eu
export GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0
if [ $# -eq 0 ] && [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    exit 0
fi
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
dir=${1:-$here/../../target/testenv/bin}
mkdir -p "$dir"
dir=$(CDPATH= cd -- "$dir" && pwd)
cd "$here"
part=$dir/.part.$$
trap 'rm -rf "$part"' EXIT
trap 'exit 130' HUP INT TERM

# The stamp says for which go.sum the binaries are. It is written before the
# first of them, and none takes its name before it is whole.
if ! cmp -s go.sum "$dir/.go.sum"; then
    rm -rf "${dir:?}"/* "$dir/.go.sum"
    cp go.sum "$part"
    mv "$part" "$dir/.go.sum"
fi

# Without this stamp the server calls itself v0.0.0.
version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)
major=$(echo "$version" | cut -d. -f1 | tr -d v)
minor=$(echo "$version" | cut -d. -f2)
stamp="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done

build() {
    [ -x "$dir/$1" ] && return 0
    echo "testenv: building $1" >&2
    go build -trimpath -ldflags "$stamp" -o "$part" "$2"
    mv "$part" "$dir/$1"
}
command -v go >/dev/null || [ -d "$dir/stages" ] || {
    echo "testenv: go is not installed; it builds the test control plane" >&2
    exit 1
}
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kubectl k8s.io/kubernetes/cmd/kubectl
build etcd go.etcd.io/etcd/server/v3
build kwok sigs.k8s.io/kwok/cmd/kwok

# How kwok's nodes and pods behave. The folder is the last thing to be made.
if [ ! -d "$dir/stages" ]; then
    go mod download sigs.k8s.io/kwok
    kwok=$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
    mkdir "$part"
    for stage in node/fast/node-initialize pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
        cp "$kwok/kustomize/stage/$stage.yaml" "$part/"
    done
    chmod -R u+w "$part"
    mv "$part" "$dir/stages"
fi
