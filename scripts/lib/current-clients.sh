#!/bin/sh
# current-clients.sh DIRECTORY PACKAGE...: unpacks today's packages, Docker clients above all, under DIRECTORY/root without installing them.
#
# They come from Debian's development suite on the mirror that this system's own sources name, through an apt
# configuration of its own: the system's lists, keys and packages stay as they are.
set -eu
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
suite=${BOXSHIP_CLIENTS_SUITE:-sid}

# Both source formats; the first address whose path ends in /debian is the mirror.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | tr ' \t' '\n\n' |
  grep -E '^https?://[^ ]*/debian/?$' | head -n 1 || true)
[ -n "$mirror" ] || { echo "no Debian mirror among this system's package sources" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || { echo "Debian's archive keys are not installed" >&2; exit 1; }

work=$directory/apt
rm -rf "$work" "$directory/root"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$directory/root"
: >"$work/status"
echo "deb [signed-by=$keys] $mirror $suite main" >"$work/sources.list"
cat >"$work/apt.conf" <<EOF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::PreferencesParts "-";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work/cache";
Acquire::Languages "none";
// A mirror may be behind; what it has is signed all the same.
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
EOF
APT_CONFIG=$work/apt.conf
export APT_CONFIG
apt-get -qq update
cd "$work/debs"
apt-get -qq download "$@"
for deb in *.deb; do dpkg -x "$deb" "$directory/root"; done
cd "$directory"
rm -rf "$work"
[ -e "$directory/root/usr/bin/docker" ] || exit 0
# What was unpacked must run here: these packages are newer than the system's C library may be.
"$directory/root/usr/bin/docker" --version
# A home directory in which the client finds its plugins.
mkdir -p "$directory/home/.docker"
ln -sfn "$directory/root/usr/libexec/docker/cli-plugins" "$directory/home/.docker/cli-plugins"
