#!/bin/sh
# A browser for the browser tests: Debian's own package, when root runs the suite. Nobody else can
# install it; the browser tests then say that they were left out, and why.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "There is no Chromium here: the browser tests are left out (apt-get install chromium)." >&2
    exit 0
fi
echo "Installing Chromium for the browser tests …" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null ||
    echo "Chromium could not be installed: the browser tests are left out." >&2
