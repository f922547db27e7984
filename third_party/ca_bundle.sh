#!/bin/sh
# Writes the C++ source of the built-in CA roots (src/http/ca_roots.h) from Debian's package
# ca-certificates, without the roots that this machine's administrator added.
set -eu
LC_ALL=C
export LC_ALL
directory=/usr/share/ca-certificates/mozilla
count=$(ls "$directory" | wc -l)
version=$(dpkg-query -W -f '${Version}' ca-certificates)
cat <<SOURCE
#include "http/ca_roots.h"
namespace sparkles {
const char kBuiltInCaRootsOrigin[] = "Debian's ca-certificates $version, $count roots";
const char kBuiltInCaRoots[] = R"pem(
SOURCE
cat "$directory"/*.crt
echo ')pem";'
echo '}  // namespace sparkles'
