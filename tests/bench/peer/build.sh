#!/bin/sh
# Builds the peers of the benches and the end-to-end tests into a folder: otelcol (manifest.yaml beside this file) and telemetrygen.
# usage: build.sh FOLDER [-p JOBS]
#
# Needs Go 1.25 or newer. Nothing is built again while the manifest is the same.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: build.sh FOLDER [-p JOBS]" >&2; exit 2; }
out=$1
shift
jobs=1
[ "${1:-}" != -p ] || jobs=$2

version=$(sed -n 's/^  version: //p' "$here/manifest.yaml")
export GOTOOLCHAIN=local GOFLAGS="-p=$jobs" CGO_ENABLED=0

command -v go >/dev/null 2>&1 || { echo "build.sh: the peer needs Go 1.25 or newer, which is not here" >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -f "$out/go.mod" ] || printf 'module peers\n' >"$out/go.mod" # keeps Go away from any go.mod above

# The builder writes the sources; its own `go mod tidy` asks for test-only modules, so that go.mod is written here.
build_collector() {
    [ -x "$out/ocb" ] || GOBIN="$out/bin" go install "go.opentelemetry.io/collector/cmd/builder@v$version"
    [ -x "$out/ocb" ] || mv "$out/bin/builder" "$out/ocb"
    sources=$out/sources
    rm -rf "$sources"
    mkdir -p "$sources"
    (
        cd "$sources"
        sed "/^  version:/a\\  output_path: $sources" "$here/manifest.yaml" >"$out/manifest.yaml"
        "$out/ocb" --config "$out/manifest.yaml" --skip-strict-versioning --skip-get-modules --skip-compilation
        {
            printf 'module otelcol-peer\n\ngo 1.25.0\n\nrequire (\n'
            sed -n 's/^  - gomod: /\t/p' "$here/manifest.yaml"
            printf '\tgo.opentelemetry.io/collector/otelcol v%s\n' "$version"
            printf ')\n'
        } >go.mod
        go build -mod=mod -ldflags "-s -w" -o "$out/otelcol.new" .
    )
    mv "$out/otelcol.new" "$out/otelcol"
    cp "$here/manifest.yaml" "$out/otelcol.manifest"
}

build_telemetrygen() {
    GOBIN="$out/bin" go install -ldflags "-s -w" "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v$version"
    mv "$out/bin/telemetrygen" "$out/telemetrygen"
}

if [ ! -x "$out/otelcol" ] || ! cmp -s "$here/manifest.yaml" "$out/otelcol.manifest"; then
    build_collector
fi
[ -x "$out/telemetrygen" ] || build_telemetrygen
ls -l "$out/otelcol" "$out/telemetrygen"
