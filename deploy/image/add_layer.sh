#!/bin/sh
# Installs into /opt/gatepost and leaves what came new in /layer, ready to be copied into an image. Asks no package index.
#
#   add_layer.sh declared FOLDER…   what the pyproject.toml of these folders asks for, from wheels/
#   add_layer.sh own FOLDER…        these packages themselves, from own/
set -eu
what=$1
shift
touch stamp
[ -d /opt/gatepost ] || python3 -m venv --without-pip /opt/gatepost
case $what in
declared)
    python3 declared.py "$@" > wanted.txt
    venv/bin/pip --python /opt/gatepost/bin/python install --no-index -f wheels -r wanted.txt
    ;;
own)
    venv/bin/pip --python /opt/gatepost/bin/python install --no-index -f own --no-deps $(printf 'gatepost-%s ' "$@")
    ;;
esac
# Type stubs and Cython sources are of no use to a running service.
find /opt/gatepost -cnewer stamp \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' \) -delete
# Nor is debugging information, which is most of what some wheels weigh. Libraries that a wheel brings along in *.libs stay as
# they are: their layout was edited after linking.
find /opt/gatepost -cnewer stamp -name '*.so' ! -path '*.libs/*' -exec strip --strip-debug {} +
# Bytecode that is trusted as it is: no start compares dates or compiles, and the image may be read-only.
find /opt/gatepost -cnewer stamp -name '*.py' | python3 -m compileall -q --invalidation-mode unchecked-hash -i -
rm -rf /layer && mkdir /layer
cd /
find opt/gatepost -cnewer /build/stamp ! -type d -print0 | tar --create --null --files-from=- | tar --extract --directory=/layer
