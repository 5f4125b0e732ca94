#!/bin/sh
# unpack-closure.sh DIRECTORY PACKAGE...: these packages of the system's distribution, and all that they need, under
# DIRECTORY/root. Nothing is installed and no script is run: what only scripts of packages need is left out.
set -eu
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
# What packages need to be configured, pictures' formats that PHP could read, and PostgreSQL's compiler of queries are
# nothing that a server needs to serve.
only_scripts='^(perl|perl-base|perl-modules-.*|libperl.*|dpkg|tar|debconf|openssl|procps|psmisc|ucf|mariadb-client|apache2-utils|ca-certificates|fonts-.*|libx11.*|libgd3|php[0-9.]*-gd|php[0-9.]*-cli|libsvtav.*|libaom.*|libx265.*|librav1e.*|libdav1d.*|libheif.*|libavif.*|libde265.*|libgav1.*|libllvm.*|libz3-.*|locales|iproute2|adduser|passwd|ssl-cert|sensible-utils)_'

work=$directory/apt
rm -rf "$work" "$directory/root"
mkdir -p "$work/archives/partial" "$directory/root/usr"
# As the distribution's own root is: packages may have their programs in either place.
for name in bin sbin lib lib64; do
  mkdir "$directory/root/usr/$name"
  ln -s "usr/$name" "$directory/root/$name"
done
: >"$work/status"
apt-get -qq -y -o Dir::State::Status="$work/status" -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User=root \
  -o Debug::NoLocking=1 --download-only --no-install-recommends install "$@"
for deb in "$work"/archives/*.deb; do
  if basename "$deb" | grep -Eq "$only_scripts"; then continue; fi
  dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory "$directory/root"
done
rm -rf "$work"
cd "$directory/root/usr"
rm -rf share/doc share/man share/locale share/common-licenses lib/file lib/*/gconv lib/systemd lib/postgresql/*/lib/bitcode \
  lib/postgresql/*/lib/llvmjit.so
