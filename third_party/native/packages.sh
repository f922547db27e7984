#!/bin/sh
# Checks or installs the Debian packages of lists (one package a line, "#" starts a comment).
# usage: packages.sh check COMMAND LIST...    fails if one is missing; COMMAND would install it
#        packages.sh install LIST...          installs missing packages, as root or with sudo
set -eu
action=$1
shift
if [ "$action" = check ]; then
  command=$1
  shift
fi
missing=""
for package in $(sed 's/#.*//' "$@"); do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$action" = check ]; then
  echo "These Debian packages are missing:$missing" >&2
  echo "To install them as root or with sudo: $command" >&2
  exit 1
fi

# Packages must not ask questions, because there may be no terminal.
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
# A new machine may still be installing updates, which hold apt's lock; waits up to 300 s for it.
# shellcheck disable=SC2086  # both are meant to be split
run $as_root apt-get update -q
# shellcheck disable=SC2086
run $as_root apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $missing
