#!/bin/sh
# soak.sh [--containers N] [--parallel N]: creates, runs and removes containers, and fails when the engine grows; before
# that, a registry is killed a hundred times while it is pushed to, pulled from and collected, and must lose nothing, and
# the engine fifty times while it builds; the store of a cluster and its API a hundred times while clients write, in SQLite
# and in etcd, and what they saw must be explained by one history; ten images of real size are built from the distribution's packages, and one in a
# container of Docker; ten thousand watches of a cluster come and go; a layer of 4 GB goes along every path between registries, layouts and archives, and no command may
# need more memory for it than for a small one (20 GB of disk); contexts of 200,000 files come through every door; the
# controllers do over etcd what they do over SQLite; WordPress and its database are installed by
# apt and set up in a browser (the suite has them unpacked, and no browser); 2,000
# clusters are simulated for half an hour each with everything going wrong; helm is killed before each change that it makes; daemon, cluster,
# monitors and runtimes are killed a hundred times while pods come and go, thirty times more with etcd among them, and those that
# stay, and who asks their service, must not notice.
#
# It runs in a network and a mount namespace of its own, as the benchmarks do.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh test
sh scripts/build.sh --bundle
parts=$PWD/.cache/parts/root
PATH="$PWD/node_modules/.bin:$parts/usr/bin:$parts/usr/sbin:$PATH:/usr/sbin:/sbin"
export PATH
BOXSHIP_KILL_ROUNDS=100 node --disable-warning=ExperimentalWarning --test packages/registry/src/crash.test.ts
BOXSHIP_HISTORY_ROUNDS=100 BOXSHIP_CRASH_ROUNDS=100 node --disable-warning=ExperimentalWarning --test \
  packages/store/src/history.test.ts packages/daemon/src/cluster/cluster-crash.test.ts
BOXSHIP_REAL_IMAGES=1 node --disable-warning=ExperimentalWarning --test packages/build/src/e2e/real-images.test.ts \
  packages/cli/src/e2e/unprivileged.test.ts
BOXSHIP_WORDPRESS=1 node --disable-warning=ExperimentalWarning --test packages/cli/src/e2e/wordpress.test.ts
BOXSHIP_TEST_FILES=200000 node --disable-warning=ExperimentalWarning --test --test-name-pattern='200000 files' \
  packages/cli/src/e2e/build-contexts.test.ts
BOXSHIP_TEST_KILLS=50 node --disable-warning=ExperimentalWarning --test packages/build/src/e2e/crash.test.ts
BOXSHIP_CONTROLLERS_STORE=etcd node --disable-warning=ExperimentalWarning --test 'packages/controllers/src/**/*.test.ts'
BOXSHIP_SIMULATION_SEEDS=2000 node --disable-warning=ExperimentalWarning --test packages/simulation/src/seeds.test.ts
BOXSHIP_KILL_EVERYWHERE=1 node --disable-warning=ExperimentalWarning --test packages/helm/src/e2e/killed.test.ts
# What Go itself makes of the same templates: with golang-go and the libraries that the script names, else not looked at.
if command -v go >/dev/null 2>&1 && [ -d /usr/share/gocode/src/github.com/gobwas/glob ]; then
  sh packages/helm/src/testing/go-oracle/record.sh --compare
fi
BOXSHIP_POD_KILLS=100 node --disable-warning=ExperimentalWarning --test packages/daemon/src/cluster/cluster-churn.test.ts
BOXSHIP_POD_KILLS=30 BOXSHIP_POD_STORE=etcd node --disable-warning=ExperimentalWarning --test packages/daemon/src/cluster/cluster-churn.test.ts
BOXSHIP_TEST_RESETS=20 node --disable-warning=ExperimentalWarning --test packages/daemon/src/reset.test.ts
node --disable-warning=ExperimentalWarning bench/soak-large.ts
node --disable-warning=ExperimentalWarning bench/soak-watches.ts
exec unshare --net --mount sh -c 'ip link set lo up && exec "$@"' sh \
  node --disable-warning=ExperimentalWarning bench/soak.ts "$@"
