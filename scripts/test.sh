#!/bin/sh
# test.sh [PATH...]: sets the machine up and runs every test, or those of the files and folders that are named.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh test
parts=$PWD/.cache/parts/root
PATH="$PWD/node_modules/.bin:$parts/usr/bin:$parts/usr/sbin:$PATH:/usr/sbin:/sbin"
export PATH
exec node --disable-warning=ExperimentalWarning scripts/test.ts "$@"
