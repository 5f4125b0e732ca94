#!/bin/sh
# bench.sh [--list] [--only NAME,…] [--rounds N]: measures Boxship beside Docker and the bare runtimes.
#
# Everything runs in a network and a mount namespace of its own: firewall rules, bridges and mounts of both engines end
# with the run, and nothing of the host's is touched. /run is in memory there, as it is on machines, for all sides.
set -eu
cd "$(dirname "$0")/.."
for argument in "$@"; do
  case $argument in --list | --help) listing=yes ;; esac
done
if [ -z "${listing:-}" ]; then
  sh scripts/setup.sh test
  [ "${BENCH_BOXSHIP:-}" = 0 ] || sh scripts/build.sh --bundle
  case " $* " in *--only*) ;; *) sh scripts/build.sh ;; esac
else
  sh scripts/setup.sh verify
fi
parts=$PWD/.cache/parts/root
PATH="$PWD/node_modules/.bin:$parts/usr/bin:$parts/usr/sbin:$PATH:/usr/sbin:/sbin"
export PATH
[ -z "${listing:-}" ] || exec node --disable-warning=ExperimentalWarning bench/main.ts "$@"
exec unshare --net --mount sh -c 'ip link set lo up && mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"' sh \
  node --disable-warning=ExperimentalWarning bench/main.ts "$@"
