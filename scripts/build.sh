#!/bin/sh
# build.sh: makes dist/boxship, the single executable. `build.sh --bundle` makes only what ./boxship runs.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh verify
PATH="$PWD/node_modules/.bin:$PATH" exec node --disable-warning=ExperimentalWarning scripts/build.ts "$@"
