#!/bin/sh
# Install Debian's Chromium and a font for the browser tests. Needs root; called by conftest.py when no browser is there.
set -eu
apt-get -o DPkg::Lock::Timeout=120 update -qq
DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends chromium fonts-dejavu-core
