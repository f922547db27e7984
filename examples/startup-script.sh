#!/bin/sh
# Start-up script for a bare VM: fetches the worker from a bucket and starts it. Nothing need be
# installed but one of curl, wget and python3.
#
#   gcloud compute instances create VM ... --metadata-from-file startup-script=startup-script.sh \
#     --metadata sparkles-worker=gs://BUCKET/sparklesworker,sparkles-worker-sha256=HEX,\
#   sparkles-cluster=CLUSTER
#
# The VM's service account must be allowed to read the bucket. These may be set instead of the VM's
# metadata: SPARKLES_WORKER, SPARKLES_WORKER_SHA256 (empty: not checked), SPARKLES_CLUSTER,
# SPARKLES_PROJECT, SPARKLES_FOLDER (default /mnt/sparkles).
set -eu

METADATA=http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1
STORAGE=${STORAGE_EMULATOR_HOST:-https://storage.googleapis.com}
TRIES=${SPARKLES_TRIES:-10}

fail() { echo "startup-script: $*" >&2; exit 1; }

# get URL HEADER FILE, where FILE may be - for stdout. Fails if the server does not answer 200. The
# header can hold a token: curl and python3 read it from stdin, as arguments are for all to see.
get() {
  if command -v curl > /dev/null; then
    printf 'header = "%s"\n' "$2" | curl -fsSL --config - --output "$3" "$1"
  elif command -v wget > /dev/null; then
    wget -q --header "$2" -O "$3" "$1"
  elif command -v python3 > /dev/null; then
    printf '%s' "$2" | python3 -c '
import shutil, sys, urllib.request
name, _, value = sys.stdin.read().partition(": ")
request = urllib.request.Request(sys.argv[1], headers={name: value})
with urllib.request.urlopen(request, timeout=60) as response:
    out = sys.stdout.buffer if sys.argv[2] == "-" else open(sys.argv[2], "wb")
    shutil.copyfileobj(response, out)
    out.flush()
' "$1" "$3"
  else
    fail "none of curl, wget and python3 is here"
  fi
}

# The network of a fresh VM, and its service account, can be late.
get_patiently() {
  tries=1
  until get "$@"; do
    [ "$tries" -lt "$TRIES" ] || return 1
    tries=$((tries + 1))
    sleep "$tries"
  done
}

metadata() { get_patiently "$METADATA/$1" "Metadata-Flavor: Google" -; }

# Names that are absent are no reason to wait.
attribute() {
  get "$METADATA/instance/attributes/$1" "Metadata-Flavor: Google" - 2> /dev/null || true
}

project=${SPARKLES_PROJECT:-$(metadata project/project-id)} || fail "the metadata server is away"
worker=${SPARKLES_WORKER:-$(attribute sparkles-worker)}
sha256=${SPARKLES_WORKER_SHA256:-$(attribute sparkles-worker-sha256)}
cluster=${SPARKLES_CLUSTER:-$(attribute sparkles-cluster)}
folder=${SPARKLES_FOLDER:-/mnt/sparkles}
[ -n "$cluster" ] || fail "the metadata has no sparkles-cluster"
path=${worker#gs://}
bucket=${path%%/*}
object=${path#*/}
[ "$worker" != "$path" ] && [ -n "$bucket" ] && [ -n "$object" ] && [ "$object" != "$path" ] ||
  fail "sparkles-worker is not gs://BUCKET/OBJECT, but '$worker'"

mkdir -p "$folder"
if [ ! -x "$folder/sparklesworker" ]; then
  token=$(metadata instance/service-accounts/default/token |
    sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
  [ -n "$token" ] || fail "the metadata server gave no token; has the VM a service account?"
  name=$(printf '%s' "$object" | sed 's|/|%2F|g; s| |%20|g')
  get_patiently "$STORAGE/storage/v1/b/$bucket/o/$name?alt=media" "Authorization: Bearer $token" \
    "$folder/sparklesworker.new" || fail "cannot read $worker"
  if [ -n "$sha256" ]; then
    echo "$sha256  $folder/sparklesworker.new" | sha256sum -c - > /dev/null ||
      fail "$worker has not the SHA-256 $sha256"
  fi
  chmod 755 "$folder/sparklesworker.new"
  mv "$folder/sparklesworker.new" "$folder/sparklesworker"
fi

exec "$folder/sparklesworker" consume --projectId "$project" --cluster "$cluster" \
  --tasksDir "$folder/tasks" --cacheDir "$folder/cache" "$@"
