#!/bin/sh
# quickstart.sh: installs what is missing, then shows what the engine does, with its own command line and nothing else.
set -eu
cd "$(dirname "$0")/.."
began=$(date +%s)
sh scripts/setup.sh run
BOXSHIP_QUICKSTART_SETUP=$(($(date +%s) - began))
export BOXSHIP_QUICKSTART_SETUP
exec node_modules/.bin/node --disable-warning=ExperimentalWarning scripts/quickstart.ts
