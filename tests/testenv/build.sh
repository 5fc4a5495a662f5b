#!/bin/sh
# Builds the test control plane into DIR (default target/testenv/bin) from the
# published Go modules named in go.mod. A binary that is already there is kept
# as long as go.mod has not changed; one build runs at a time, which needs
# about 3 GB of memory.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
dir=${1:-$here/../../target/testenv/bin}
mkdir -p "$dir"
dir=$(CDPATH= cd -- "$dir" && pwd)
cd "$here"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
major=$(echo "$version" | cut -d. -f1 | tr -d v)
minor=$(echo "$version" | cut -d. -f2)
stamp="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done

if ! cmp -s go.sum "$dir/.go.sum"; then
    rm -rf "${dir:?}"/* "$dir/.go.sum"
fi
build() {
    [ -x "$dir/$1" ] && return 0
    echo "testenv: building $1" >&2
    CGO_ENABLED=0 go build -trimpath -ldflags "$stamp" -o "$dir/$1" "$2"
}
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kubectl k8s.io/kubernetes/cmd/kubectl
build etcd go.etcd.io/etcd/server/v3
build kwok sigs.k8s.io/kwok/cmd/kwok
if [ ! -d "$dir/stages" ]; then
    kwok=$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
    mkdir -p "$dir/stages"
    for stage in node/fast/node-initialize pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
        cp "$kwok/kustomize/stage/$stage.yaml" "$dir/stages/"
    done
    chmod -R u+w "$dir/stages"
fi
cp go.sum "$dir/.go.sum"
