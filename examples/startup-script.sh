#!/bin/sh
# Start-up script for a plain VM: fetches the worker from a bucket and starts it. The VM needs only
# one of curl, wget and python3.
#
#   gcloud compute instances create VM ... --metadata-from-file startup-script=startup-script.sh \
#     --metadata sparkles-worker=gs://BUCKET/sparklesworker,sparkles-worker-sha256=HEX,\
#   sparkles-cluster=CLUSTER
#
# More flags of the worker go into sparkles-flags, with spaces between: "--shutdownAfter 600".
# With sparkles-worker-sha256, the script uses the file of an earlier boot if it has that content.
# Without it, the script fetches the object at each boot, and uses the earlier file if that fails.
#
# The VM's service account must be allowed to read the bucket. These may be set instead of the VM's
# metadata: SPARKLES_WORKER, SPARKLES_WORKER_SHA256 (empty: not checked), SPARKLES_CLUSTER,
# SPARKLES_FLAGS, SPARKLES_PROJECT, SPARKLES_FOLDER (default /mnt/sparkles).
set -eu

METADATA=http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1
STORAGE=${STORAGE_EMULATOR_HOST:-https://storage.googleapis.com}
TRIES=${SPARKLES_TRIES:-10}
directory=${SPARKLES_FOLDER:-/mnt/sparkles}
ABSENT=44  # result of get if the server does not have the value

say() { echo "startup-script: $*" >&2; }
fail() { say "$*"; exit 1; }

# get URL HEADER FILE. Returns 0 if the file was fetched whole, ABSENT, or another number for an
# error that may pass. No step may take longer than a minute. The header can contain a token, so
# curl and python3 read it from stdin: other users can read arguments.
get() {
  failed=0
  if command -v curl > /dev/null; then
    answer=$(printf 'header = "%s"\n' "$2" | curl -sSL --config - --connect-timeout 20 \
      --speed-limit 1 --speed-time 60 --output "$3" --write-out 'HTTP/ %{http_code}' "$1") ||
      failed=1
  elif command -v wget > /dev/null; then
    answer=$(wget -S -t 1 -T 60 -O "$3" --header "$2" "$1" 2>&1) || failed=1
  elif command -v python3 > /dev/null; then
    answer=$(printf '%s' "$2" | python3 -c '
import shutil, sys, urllib.error, urllib.request
name, _, value = sys.stdin.read().partition(": ")
request = urllib.request.Request(sys.argv[1], headers={name: value})
try:
    with urllib.request.urlopen(request, timeout=60) as response, open(sys.argv[2], "wb") as out:
        shutil.copyfileobj(response, out)
        if response.headers["Content-Length"] not in (None, str(out.tell())):
            sys.exit("the connection ended too early")
        print("HTTP/", response.status)
except urllib.error.HTTPError as error:
    print("HTTP/", error.code)
except OSError as error:
    sys.exit(str(error))
' "$1" "$3") || failed=1
  else
    fail "none of curl, wget and python3 is here"
  fi
  status=$(printf '%s\n' "$answer" | sed -n 's|.*HTTP/[^ ]* \([0-9]*\).*|\1|p' | sed -n '$p')
  case $failed,$status in
    0,200) return 0 ;;
    *,404) return $ABSENT ;;
    *) say "$1 gave no answer that can be used (${status:-none})"; return 1 ;;
  esac
}

# Retries, because the network and the service account of a new VM can be late.
get_with_retries() {
  tries=1
  while true; do
    outcome=0
    get "$@" || outcome=$?
    [ "$outcome" != 0 ] && [ "$outcome" != $ABSENT ] && [ "$tries" -lt "$TRIES" ] ||
      return "$outcome"
    tries=$((tries + 1))
    sleep "$tries"
  done
}

# Prints a value of the metadata server; prints nothing if the server does not have it.
metadata() {
  outcome=0
  get_with_retries "$METADATA/$1" "Metadata-Flavor: Google" "$directory/answer" || outcome=$?
  [ "$outcome" != 0 ] || cat "$directory/answer"
  rm -f "$directory/answer"
  [ "$outcome" = 0 ] || [ "$outcome" = $ABSENT ] || fail "the metadata server is away"
}

has_sum() { # FILE
  command -v sha256sum > /dev/null || fail "sha256sum is missing"
  echo "$sha256  $1" | sha256sum -c - > /dev/null 2>&1
}

# Fetches the worker, or prints the error.
fetch_worker() {
  new=$directory/sparklesworker.new
  token=$(metadata instance/service-accounts/default/token) || return 1
  token=$(printf '%s' "$token" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
  [ -n "$token" ] || { say "there is no token; has the VM a service account?"; return 1; }
  name=$(printf '%s' "$object" | sed 's|/|%2F|g; s| |%20|g')
  get_with_retries "$STORAGE/storage/v1/b/$bucket/o/$name?alt=media" \
    "Authorization: Bearer $token" "$new" || { say "cannot read $worker"; return 1; }
  [ -z "$sha256" ] || has_sum "$new" || { say "$worker has not the SHA-256 $sha256"; return 1; }
  chmod 755 "$new"
  "$new" version > /dev/null || {
    say "$worker does not run on this machine ($(uname -m))"
    return 1
  }
  mv "$new" "$directory/sparklesworker"
}

mkdir -p "$directory"
project=${SPARKLES_PROJECT:-$(metadata project/project-id)}
worker=${SPARKLES_WORKER:-$(metadata instance/attributes/sparkles-worker)}
sha256=${SPARKLES_WORKER_SHA256-$(metadata instance/attributes/sparkles-worker-sha256)}
cluster=${SPARKLES_CLUSTER:-$(metadata instance/attributes/sparkles-cluster)}
flags=${SPARKLES_FLAGS-$(metadata instance/attributes/sparkles-flags)}
[ -n "$cluster" ] || fail "the metadata has no sparkles-cluster"
path=${worker#gs://}
bucket=${path%%/*}
object=${path#*/}
[ "$worker" != "$path" ] && [ -n "$bucket" ] && [ -n "$object" ] && [ "$object" != "$path" ] ||
  fail "sparkles-worker is not gs://BUCKET/OBJECT, but '$worker'"

if [ -z "$sha256" ] || [ ! -x "$directory/sparklesworker" ] ||
    ! has_sum "$directory/sparklesworker"; then
  if ! fetch_worker; then
    rm -f "$directory/sparklesworker.new"
    [ -z "$sha256" ] && [ -x "$directory/sparklesworker" ] || fail "there is no worker to start"
    say "starting the worker of an earlier boot"
  fi
fi

set -f  # split the flags into words without expanding patterns
# shellcheck disable=SC2086
exec "$directory/sparklesworker" consume --projectId "$project" --cluster "$cluster" \
  --tasksDir "$directory/tasks" --cacheDir "$directory/cache" $flags "$@"
