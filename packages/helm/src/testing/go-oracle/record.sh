#!/bin/sh
# record.sh: renders testdata/functions/templates.txt and the charts of testdata/charts with Go's text/template and
# Debian's sprig (golang-go, golang-github-masterminds-sprig-dev, golang-k8s-sigs-yaml-dev,
# golang-github-burntsushi-toml-dev, golang-github-gobwas-glob-dev) and writes functions/golden.jsonl and rendered.jsonl.
# With --compare it writes nothing, and fails where the output is another.
set -eu
cd "$(dirname "$0")"
data=../../testdata
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="${GOCACHE:-$work/cache}" TZ=UTC
go build -o "$work/oracle" ./*.go
node -e 'for (const line of require("fs").readFileSync(process.argv[1], "utf8").trimEnd().split("\n")) console.log(JSON.stringify({ template: line }))' \
  "$data/functions/templates.txt" | "$work/oracle" expressions "$data/functions/data.json" >"$work/golden.jsonl"
node --disable-warning=ExperimentalWarning ../write-chart-inputs.ts | "$work/oracle" charts >"$work/rendered.jsonl"
if [ "${1:-}" = --compare ]; then
  diff "$data/functions/golden.jsonl" "$work/golden.jsonl"
  exec diff "$data/rendered.jsonl" "$work/rendered.jsonl"
fi
cp "$work/golden.jsonl" "$data/functions/golden.jsonl"
cp "$work/rendered.jsonl" "$data/rendered.jsonl"
