#!/bin/sh
# Makes every image that ../compose.yaml needs from Debian packages and Python wheels alone, for a machine that reaches no
# image registry, and prints the variables that make compose use them.
#
#   sudo deploy/local-images/build.sh [DEBIAN-MIRROR] > local-images.env
#
# Needs root, debootstrap and buildah. Without an argument debootstrap's own default mirror is used. BUILD_OPTIONS is handed
# to `buildah build`, for instance to let pip see a configuration of this machine: BUILD_OPTIONS="--volume …:…:ro".
set -eu
cd "$(dirname "$0")/../.."
mirror=${1:-}
prefix=localhost/gatepost-local
# Format docker: the OCI format has no place for HEALTHCHECK, and drops it.
export BUILDAH_FORMAT=docker

if ! buildah inspect --type image "$prefix/debian:bookworm" > /dev/null 2>&1; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    # shellcheck disable=SC2086  no argument at all when no mirror is given
    debootstrap --variant=minbase bookworm "$root/debian" $mirror >&2
    rm -rf "$root"/debian/var/cache/apt/* "$root"/debian/var/lib/apt/lists/* "$root"/debian/var/log/*
    rm -rf "$root"/debian/usr/share/doc/* "$root"/debian/usr/share/man/* "$root"/debian/usr/share/locale/*
    container=$(buildah from scratch)
    buildah add -q "$container" "$root/debian" / >&2
    buildah config --cmd /bin/sh --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q --rm "$container" "$prefix/debian:bookworm" >&2
fi

for image in python:3.11 postgres:18 valkey:9 haproxy:2.6; do
    # shellcheck disable=SC2086  several options in one variable
    buildah build --layers ${BUILD_OPTIONS:-} --file deploy/local-images/Dockerfile --target "${image%:*}" \
        --ignorefile deploy/local-images/context.dockerignore --tag "$prefix/$image" . >&2
done

cat <<VARIABLES
GATEPOST_BASE_IMAGE=$prefix/python:3.11
GATEPOST_POSTGRES_IMAGE=$prefix/postgres:18
GATEPOST_VALKEY_IMAGE=$prefix/valkey:9
GATEPOST_BALANCER_IMAGE=$prefix/haproxy:2.6
VARIABLES
