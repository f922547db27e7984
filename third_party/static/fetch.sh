#!/bin/sh
# Fetches the Debian source packages of sources.txt into the cache.
# Uses apt, which verifies the archive's signature, with private package lists. So the script needs
# no root and does not change the machine's apt. With --pin it rewrites sources.txt with the newest
# versions in the archive.
. "$(dirname "$0")/settings.sh"

APT_FOLDER=$CACHE/apt
mkdir -p "$SOURCES" "$APT_FOLDER/parts" "$APT_FOLDER/lists/partial" "$APT_FOLDER/cache"

packages() { awk '!/^#/ && NF { print $1 }' "$HERE/sources.txt"; }

private_apt() {
  tool=$1
  shift
  "$tool" -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$APT_FOLDER/parts" \
    -o Dir::State::Lists="$APT_FOLDER/lists" -o Dir::Cache="$APT_FOLDER/cache" \
    -o APT::Sandbox::User="" -o APT::Get::List-Cleanup=0 "$@"
}

# Copies the system's lists in both formats, with deb-src instead of deb.
update_lists() {
  rm -f "$APT_FOLDER"/parts/*
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -n 's/^deb[[:space:]]/deb-src /p' "$file" > "$APT_FOLDER/parts/$(basename "$file").list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$file" > "$APT_FOLDER/parts/$(basename "$file")"
  done
  private_apt apt-get -q update > "$APT_FOLDER/update.log" 2>&1 ||
    fail "cannot read the package lists; see $APT_FOLDER/update.log"
}

offered_versions() { # newest first
  private_apt apt-cache showsrc "$1" | awk -v package="$1" '
    $1 == "Package:" { ours = $2 == package } $1 == "Version:" && ours { print $2 }' |
    sort -rVu
}

dsc_of() { echo "$SOURCES/$1_${2#*:}.dsc"; }

download() {
  (cd "$SOURCES" && private_apt apt-get source --download-only "$1=$2") \
    > "$APT_FOLDER/$1.log" 2>&1 && [ -f "$(dsc_of "$1" "$2")" ]
}

pinned() { awk -v package="$1" -v field="$2" '$1 == package { print $field }' "$HERE/sources.txt"; }

sum_of() { sha256sum "$(dsc_of "$1" "$2")" | cut -d ' ' -f 1; }

# Prints the newest version that can be fetched. An index can name one that is not published yet.
newest() {
  for version in $(offered_versions "$1"); do
    if is_complete "$1" "$version" || download "$1" "$version"; then
      echo "$1 $version $(sum_of "$1" "$version")"
      return
    fi
    say "$1 $version is in the index, but cannot be fetched; trying an older one" >&2
  done
  tail -5 "$APT_FOLDER/$1.log" >&2
  fail "no version of $1 can be fetched (see above, and $APT_FOLDER/$1.log)"
}

# True if the archive has replaced a version, for example by a security fix. False if the archive is
# out of reach or broken, because another version would then hide the error.
is_replaced() { # PACKAGE VERSION
  offered=$(offered_versions "$1")
  [ -n "$offered" ] || return 1
  ! echo "$offered" | grep -qxF "$2" || grep -q '404  *Not Found' "$APT_FOLDER/$1.log"
}

# Prints the line of resolved.txt for one package.
resolve() {
  version=$(pinned "$1" 2)
  if is_complete "$1" "$version" || download "$1" "$version"; then
    [ "$(sum_of "$1" "$version")" = "$(pinned "$1" 3)" ] ||
      fail "$1 $version is not what sources.txt pins"
    echo "$1 $version $(pinned "$1" 3)"
    return
  fi
  is_replaced "$1" "$version" || {
    tail -5 "$APT_FOLDER/update.log" "$APT_FOLDER/$1.log" >&2
    fail "cannot fetch the sources of $1 $version (see above, and $APT_FOLDER/$1.log)"
  }
  say "WARNING: the archive has $1 $version no longer; this build is not the one that" \
    "sources.txt describes ('third_party/static/fetch.sh --pin' pins what there is)" >&2
  newest "$1"
}

if [ "${1:-}" = --pin ]; then
  update_lists
  { grep '^#' "$HERE/sources.txt"; for name in $(packages); do newest "$name"; done; } \
    > "$CACHE/sources.txt"
  cp "$CACHE/sources.txt" "$HERE/sources.txt"
  say "sources.txt is pinned anew"
  exit
fi

for name in $(packages); do
  is_complete "$name" "$(pinned "$name" 2)" || { update_lists; break; }
done
for name in $(packages); do resolve "$name"; done > "$CACHE/resolved.new"
cmp -s "$CACHE/resolved.new" "$CACHE/resolved.txt" || mv "$CACHE/resolved.new" "$CACHE/resolved.txt"
