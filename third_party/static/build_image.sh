#!/bin/sh
# Builds Dockerfile.static with docker, podman or buildah.
# usage: build_image.sh NAME TARGET VERSION COMMIT EPOCH
# IMAGE_BASE replaces the base image, Docker Hub's debian:bookworm. IMAGE_APT_CONF is a file of apt
# settings for the build only. In a container, buildah may need BUILDAH_ISOLATION=chroot and
# STORAGE_DRIVER=vfs.
set -eu
name=$1 target=$2 version=$3 commit=$4 epoch=$5
cd "$(dirname "$0")/../.."

if docker info > /dev/null 2>&1; then
  tool="docker build"
elif podman info > /dev/null 2>&1; then
  tool="podman build"
elif buildah info > /dev/null 2>&1; then
  tool="buildah bud"
else
  echo "make image: none of docker (with its daemon), podman and buildah works here" >&2
  exit 1
fi

case $target in
  x86_64) platform=linux/amd64 ;;
  aarch64) platform=linux/arm64 ;;
  *) echo "make image: TARGET=$target is neither x86_64 nor aarch64" >&2; exit 2 ;;
esac

set -- --platform "$platform" --build-arg "TARGET=$target" --file Dockerfile.static --tag "$name:$version" --tag "$name:latest" \
  --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "EPOCH=$epoch" \
  --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
[ -z "${IMAGE_BASE:-}" ] || set -- "$@" --build-arg "BASE=$IMAGE_BASE"
[ -z "${IMAGE_APT_CONF:-}" ] || set -- "$@" --secret "id=apt,src=$IMAGE_APT_CONF"
echo "$tool $name:$version"
DOCKER_BUILDKIT=1 $tool "$@" .
