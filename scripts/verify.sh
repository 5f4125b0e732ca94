#!/bin/sh
# verify.sh [CHECK...]: everything that must hold before a commit; `verify.sh --list` names the checks.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh verify
PATH="$PWD/node_modules/.bin:$PATH" exec node --disable-warning=ExperimentalWarning scripts/verify/main.ts "$@"
