#!/bin/sh
# Builds Dockerfile.static with whichever tool works here: docker, podman or buildah.
# usage: build_image.sh NAME VERSION COMMIT EPOCH
# IMAGE_BASE names another base image than Docker Hub's debian:bookworm; IMAGE_APT_CONF a file of apt
# settings that the build, but not the image, needs.
set -eu
name=$1 version=$2 commit=$3 epoch=$4
cd "$(dirname "$0")/../.."

if docker info > /dev/null 2>&1; then
  tool="docker build"
elif command -v podman > /dev/null; then
  tool="podman build"
elif command -v buildah > /dev/null; then
  tool="buildah bud"
else
  echo "make image: none of docker (with its daemon), podman and buildah is here" >&2
  exit 1
fi

set -- --file Dockerfile.static --tag "$name:$version" --tag "$name:latest" \
  --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "EPOCH=$epoch" \
  --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
[ -z "${IMAGE_BASE:-}" ] || set -- "$@" --build-arg "BASE=$IMAGE_BASE"
[ -z "${IMAGE_APT_CONF:-}" ] || set -- "$@" --secret "id=apt,src=$IMAGE_APT_CONF"
echo "$tool $name:$version"
DOCKER_BUILDKIT=1 $tool "$@" .
