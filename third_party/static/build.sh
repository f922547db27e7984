#!/bin/sh
# Builds the toolchain and the libraries of the static lane, one recipe after the other.
# A recipe runs again only if one of these changed: the recipe, its sources, these scripts, the
# compiler, or a recipe that it builds on. After an interruption, the build continues with the same
# recipe.
. "$(dirname "$0")/settings.sh"

# Each part of the toolchain builds on the parts before it. Each library builds on the toolchain and
# on the libraries that its recipe names ("builds on: ...").
TOOLCHAIN="toolchain musl compiler-rt libcxx"
LIBRARIES="headers mimalloc zlib openssl c-ares abseil curl protobuf grpc"

for tool in clang-19 clang++-19 ld.lld-19 llvm-ar-19 llvm-ranlib-19 llvm-objcopy-19 llvm-config-19 \
  cmake ninja dpkg-source perl python3 pkg-config flock protoc grpc_cpp_plugin; do
  command -v "$tool" > /dev/null ||
    fail "$tool is missing; 'make deps-static' (as root) installs what this lane needs"
done
mkdir -p "$TREE/done" "$TREE/logs" "$LICENCES" 2> /dev/null && [ -w "$TREE" ] ||
  fail "cannot write to $TREE; set SPARKLES_STATIC_CACHE to a directory that can be written"

# Two builds at the same time would unpack into one directory.
lock() { # FILE
  exec 9> "$1"
  flock -n 9 && return
  say "waiting for another build, which holds $1"
  flock 9
}
lock "$CACHE/fetch.lock"
wanted=$(cat "$HERE/sources.txt" "$HERE/fetch.sh" | sha256sum)
[ "$(cat "$CACHE/fetched" 2> /dev/null)" = "$wanted" ] || "$HERE/fetch.sh"
# If the archive had another version than the pinned one, says so and tries again at every build.
if grep -v '^#' "$HERE/sources.txt" | cmp -s - "$CACHE/resolved.txt"; then
  echo "$wanted" > "$CACHE/fetched"
fi
lock "$TREE/lock"

. "$HERE/steps.sh"

key_of() { cut -d ' ' -f 1 "$TREE/done/$1" 2> /dev/null || true; }

# A hash of all inputs of a recipe.
inputs_of() { # RECIPE KEY-OF-WHAT-IT-BUILDS-ON
  {
    echo "$2"
    cat "$HERE/recipes/$1.sh"
    while read -r package version sum; do
      grep -q "^unpack $package\$" "$HERE/recipes/$1.sh" && echo "$package $version $sum"
    done < "$CACHE/resolved.txt"
    for other in $(sed -n 's/^# builds on: //p' "$HERE/recipes/$1.sh"); do key_of "$other"; done
  } | sha256sum | cut -d ' ' -f 1
}

run_recipe() { # RECIPE KEY
  [ "$(key_of "$1")" = "$2" ] && return
  say "building $1"
  started=$(date +%s)
  rm -f "$TREE/done/$1"
  # Not in the condition of an `if`, because some shells then ignore errors inside.
  set +e
  (set -ex; . "$HERE/recipes/$1.sh") > "$TREE/logs/$1.log" 2>&1
  outcome=$?
  set -e
  if [ "$outcome" != 0 ]; then
    tail -30 "$TREE/logs/$1.log" >&2
    fail "$1 failed; the whole output is in $TREE/logs/$1.log"
  fi
  echo "$2" > "$TREE/done/$1"
  say "$1 took $(($(date +%s) - started)) s"
}

key=$({ cat "$HERE/settings.sh" "$HERE/steps.sh"; clang-19 --version; } | sha256sum)
for recipe in $TOOLCHAIN; do
  key=$(inputs_of "$recipe" "$key")
  run_recipe "$recipe" "$key"
done
for recipe in $LIBRARIES; do run_recipe "$recipe" "$(inputs_of "$recipe" "$key")"; done
rm -rf "$WORK"

# A newer file rebuilds everything that depends on the libraries: see static.mk.
sha256sum "$TREE"/done/* | sed "s|$TREE/||" > "$TREE/built.new"
cmp -s "$TREE/built.new" "$TREE/built" || mv "$TREE/built.new" "$TREE/built"
