#!/bin/sh
# setup.sh [run|test|verify]: makes a checkout ready and says what it does; silent and quick when nothing is missing.
#
#   run     system packages the engine needs, npm packages, Node 26 (the default)
#   test    the same, and the programs that tests and benchmarks compare with or talk to
#   verify  npm packages and what Node needs; asks for root only where a system library is missing
#
# Services are neither started nor enabled: programs whose packages carry a service are unpacked under .cache/parts
# instead of being installed. Current Docker clients go to .cache/clients, where a mirror has them.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}
log=.cache/setup.log

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# COMMAND[:PACKAGE]; a name that starts with "lib" is looked for as a shared library, one with "/" as a file.
system_verify="libatomic.so.1:libatomic1"
system_run="runc crun conmon catatonit mmdebstrap"
system_test="newuidmap:uidmap pasta:passt slirp4netns fuse-overlayfs skopeo iptables ip:iproute2 nft:nftables dnsmasq:dnsmasq-base ps:procps zstd xz:xz-utils bzip2 mkfs.ext4:e2fsprogs setfattr:attr
  setcap:libcap2-bin openssl curl git gpg gpg-agent gpgconf ssh-agent:openssh-client tar gzip libdevmapper.so.1.02.1:libdevmapper1.02.1 docker-compose zsh fish"
# Unpacked beside the system when the command is missing.
parts_test="dockerd:docker.io containerd:containerd docker-registry:docker-registry umoci:umoci buildah:buildah podman:podman etcd:etcd-server
  rsyslogd:rsyslog libestr.so.0:libestr0 libfastjson.so.4:libfastjson4
  /usr/lib/cni/bridge:containernetworking-plugins /usr/bin/dbus-daemon:dbus-daemon
  libdbus-1.so.3:libdbus-1-3 /lib/systemd/systemd-logind:systemd /usr/lib/$(uname -m)-linux-gnu/systemd:libsystemd-shared"
# Newer than the system's; tests that use them say so when they are absent.
clients="docker-cli docker-buildx docker-compose etcd-server kubectl"
# With its libraries: it must be as new as the kernel.
criu="criu libbsd0 libc6 libcompel1 libffi8 libgcc-s1 libgmp10 libgnutls30t64 libhogweed6t64 libidn2-0 libjansson4 libmd0
  libmnl0 libnet9 libnettle8t64 libnftables1 libnftnl11 libnl-3-200 libp11-kit0 libprotobuf-c1 libtasn1-6 libunistring5
  libuuid1 libxtables12"

# What the WordPress example is made of, with all that it needs.
wordpress="base-files base-passwd dash coreutils sed grep findutils libc-bin mariadb-server-core apache2 libapache2-mod-php
  php-mysql php-xml wordpress wordpress-theme-twentytwentythree"
# Services that run in pods as the distribution packages them.
services="base-files base-passwd dash coreutils sed grep findutils libc-bin nginx postgresql redis-server"

has() {
  case $1 in
    lib*) for file in /usr/lib/*/"$1" /usr/lib64/"$1" /usr/lib/"$1" /lib/*/"$1" .cache/parts/root/usr/lib/*/"$1"; do [ ! -e "$file" ] || return 0; done
      return 1 ;;
    /*) [ -x "$1" ] || [ -x ".cache/parts/root$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
  esac
}

# missing COMMAND[:PACKAGE]...: the packages whose command is not there.
missing() {
  for entry in "$@"; do
    has "${entry%%:*}" || printf '%s ' "${entry#*:}"
  done
}

apt_quietly() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

apt_update_once() {
  [ -z "${updated:-}" ] || return 0
  updated=yes
  say "refreshing the package lists (apt-get update)"
  apt_quietly update || say "apt-get update reported errors; see $log"
}

apt_lists_present() {
  for list in /var/lib/apt/lists/*Packages*; do [ ! -e "$list" ] || return 0; done
  return 1
}

explain_other_distribution() {
  fail "missing: $* (Debian's package names). Only Debian and Ubuntu are installed from automatically; install these by your distribution's package manager and run the command again."
}

install_system() {
  command -v apt-get >/dev/null 2>&1 || explain_other_distribution "$@"
  say "installing system packages: $*"
  apt_lists_present || apt_update_once
  apt_quietly install -y --no-install-recommends --no-remove "$@" && return 0
  apt_update_once
  apt_quietly install -y --no-install-recommends --no-remove "$@" && return 0
  tail -n 15 "$log" >&2
  fail "apt-get could not install: $*"
}

# unpack_beside DIRECTORY PACKAGE...: the packages' files under DIRECTORY/root, nothing installed, no script run.
unpack_beside() {
  target=$1
  shift
  mkdir -p "$target/debs" "$target/root"
  chmod 755 "$target/debs"
  for package in "$@"; do
    rm -f "$target/debs"/*.deb
    (cd "$target/debs" && apt-get -qq -o APT::Sandbox::User=root download "$package") >>"$log" 2>&1 || return 1
    for deb in "$target/debs"/*.deb; do dpkg -x "$deb" "$target/root"; done
  done
  rm -rf "$target/debs"
}

system_packages() {
  # shellcheck disable=SC2086
  case $purpose in
    verify) wanted=$(missing $system_verify) ;;
    run) wanted=$(missing $system_verify $system_run) ;;
    test) wanted=$(missing $system_verify $system_run $system_test) ;;
  esac
  [ "$purpose" = verify ] || has busybox || wanted="$wanted busybox-static"
  [ -n "$wanted" ] || return 0
  [ "$(id -u)" = 0 ] || fail "missing system packages: $wanted. Install them, or run the command as root once."
  # shellcheck disable=SC2086
  install_system $wanted
}

# A busybox that is linked dynamically cannot be the only program of an image. Debian's static one conflicts with it.
static_busybox() {
  for list in /var/lib/dpkg/info/busybox-static*.list; do [ ! -e "$list" ] || return 0; done
  [ ! -x .cache/parts/root/bin/busybox ] && [ ! -x .cache/parts/root/usr/bin/busybox ] || return 0
  [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null 2>&1 || return 0
  say "unpacking busybox-static beside the system (its busybox is not static)"
  unpack_beside .cache/parts busybox-static || { apt_update_once; unpack_beside .cache/parts busybox-static; } ||
    say "busybox-static cannot be had; 'image bootstrap busybox' will not work"
}

test_parts() {
  PATH="$PWD/.cache/parts/root/usr/bin:$PWD/.cache/parts/root/usr/sbin:$PATH"
  # shellcheck disable=SC2086
  absent=$(missing $parts_test)
  [ -n "$absent" ] || return 0
  command -v dpkg >/dev/null 2>&1 || explain_other_distribution "$absent"
  say "unpacking for tests, not installing: $absent"
  # shellcheck disable=SC2086
  unpack_beside .cache/parts $absent && return 0
  apt_update_once
  # shellcheck disable=SC2086
  unpack_beside .cache/parts $absent || { tail -n 5 "$log" >&2; fail "apt-get could not download: $absent"; }
}

# unpacked SCRIPT DIRECTORY WHAT PACKAGE...: packages under .cache/DIRECTORY by that script, anew when others are asked for.
unpacked() {
  script=$1 directory=$2 what=$3
  shift 3
  [ "$(cat ".cache/$directory/done" 2>/dev/null)" != "$*" ] || return 0
  # Where they could not be had, trying again tomorrow is early enough.
  [ -z "$(find ".cache/$directory-absent" -mtime -1 2>/dev/null)" ] || return 0
  say "unpacking $what into .cache/$directory: $*"
  if sh "scripts/lib/$script.sh" ".cache/$directory" "$@" >>"$log" 2>&1; then
    echo "$*" >".cache/$directory/done"
  else
    touch ".cache/$directory-absent"
    say "$what cannot be had here: $(tail -n 1 "$log"); their tests will be skipped and say so"
  fi
}

npm_packages() {
  if [ -x node_modules/.bin/node ] && cmp -s package-lock.json node_modules/.boxship-lock; then return 0; fi
  if [ -x node_modules/.bin/node ] && node_modules/.bin/node scripts/lib/npm-tree.ts installed >/dev/null 2>&1; then
    cp package-lock.json node_modules/.boxship-lock
    return 0
  fi
  command -v npm >/dev/null 2>&1 || fail "npm is missing: install it (Debian: apt-get install npm) and run the command again"
  say "installing npm packages, Node 26 among them (npm ci)"
  npm ci --no-audit --no-fund --loglevel=error >>"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "npm ci failed"; }
  # Old npm versions leave this link out when the package is an optional one.
  case $(uname -m) in x86_64) arch=x64 ;; *) arch=arm64 ;; esac
  [ -x node_modules/.bin/node ] || ln -s "../node-linux-$arch/bin/node" node_modules/.bin/node
  [ -x node_modules/.bin/node ] ||
    fail "npm has no Node 26 for this machine ($(uname -sm)): Linux on x86_64 and aarch64 with glibc are supported"
  case $(node_modules/.bin/node --version 2>>"$log") in
    v26.*) ;;
    *) fail "node_modules/.bin/node does not run as Node 26 here: $(node_modules/.bin/node --version 2>&1 | head -n 1)" ;;
  esac
  cp package-lock.json node_modules/.boxship-lock
}

[ "$(uname -s)" = Linux ] || fail "Boxship runs on Linux only"
case $purpose in
  run | test) [ "$(id -u)" = 0 ] || fail "root is needed: containers, mounts and networks are made here. Run the command again as root, for instance with sudo." ;;
  verify) ;;
  *) fail "unknown purpose '$purpose': run, test or verify" ;;
esac

mkdir -p .cache
# One setup at a time; later ones find the work done.
if [ -z "${BOXSHIP_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
  BOXSHIP_SETUP_LOCKED=1 exec flock .cache/setup.lock sh scripts/setup.sh "$purpose"
fi
: >"$log"
system_packages
[ "$purpose" = verify ] || static_busybox
npm_packages
if [ "$purpose" = test ]; then
  test_parts
  # shellcheck disable=SC2086
  unpacked current-clients clients "current clients and servers" $clients
  # shellcheck disable=SC2086
  unpacked current-clients criu "current CRIU" $criu
  # shellcheck disable=SC2086
  unpacked unpack-closure wordpress "WordPress and its database" $wordpress
  # shellcheck disable=SC2086
  unpacked unpack-closure services "services for pods" $services
fi
[ "$purpose" = verify ] || touch .cache/ready
