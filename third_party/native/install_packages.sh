#!/bin/sh
# Installs the Debian packages that a list names, quietly, and only those that are missing.
# usage: install_packages.sh LIST    (one package a line, "#" starts a comment)
set -eu
missing=""
for package in $(sed 's/#.*//' "$1"); do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# Questions of packages would wait for an answer that nobody is asked for.
as_root="env DEBIAN_FRONTEND=noninteractive"
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "These packages are missing:$missing" >&2
    echo "Install them as root (apt-get install$missing) and try again." >&2
    exit 1
  }
  as_root="sudo $as_root"
fi
echo "Installing Debian packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    echo "failed: $*" >&2
    exit 1
  }
}
# A fresh machine may still be installing its updates, with the lock in hand: 300 s are for that.
# shellcheck disable=SC2086  # both are meant to be split
run $as_root apt-get update -q
# shellcheck disable=SC2086
run $as_root apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $missing
