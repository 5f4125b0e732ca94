#!/bin/sh
# record.sh: renders testdata/functions/templates.txt with Go's text/template and Debian's sprig (golang-go,
# golang-github-masterminds-sprig-dev, golang-k8s-sigs-yaml-dev, golang-github-burntsushi-toml-dev) and writes
# golden.jsonl. With --compare it writes nothing, and fails where the output is another.
set -eu
cd "$(dirname "$0")"
data=../../testdata/functions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="${GOCACHE:-$work/cache}" TZ=UTC
go build -o "$work/render" main.go
node -e 'for (const line of require("fs").readFileSync(process.argv[1], "utf8").trimEnd().split("\n")) console.log(JSON.stringify({ template: line }))' \
  "$data/templates.txt" | "$work/render" "$data/data.json" >"$work/golden.jsonl"
if [ "${1:-}" = --compare ]; then exec diff "$data/golden.jsonl" "$work/golden.jsonl"; fi
cp "$work/golden.jsonl" "$data/golden.jsonl"
