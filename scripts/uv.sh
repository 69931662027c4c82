#!/bin/sh
# Prints the path of uv; brings it from the package index where it is absent. Debian 12 closes its
# own Python to pip (PEP 668) and may lack venv, so several ways are tried; none touches the system
# but the last, which asks for root.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
own="$here/.uv"

for found in "$(command -v uv 2>/dev/null || true)" "$own/bin/uv" "$HOME/.local/bin/uv"; do
    if [ -n "$found" ] && "$found" --version >/dev/null 2>&1; then
        echo "$found"
        exit 0
    fi
done

python=$(command -v python3 || command -v python || true)
if [ -z "$python" ]; then
    echo "Python 3.11 or later is needed, and there is no python3 here." >&2
    echo "ต้องมี Python 3.11 ขึ้นไป แต่ไม่พบ python3 ในเครื่องนี้" >&2
    exit 1
fi

by_venv() {
    "$python" -m venv "$own" && "$own/bin/pip" install --quiet uv
}
by_target() { # --target is not closed by PEP 668
    rm -rf "$own"
    "$python" -m pip install --quiet --target "$own" uv
}
by_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get update -qq && apt-get install -qq -y python3-pip python3-venv >/dev/null && by_venv
}

echo "uv is not here: fetching it from the package index …" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for way in by_venv by_target by_apt; do
    if $way >>"$log" 2>&1 && "$own/bin/uv" --version >/dev/null 2>&1; then
        echo "$own/bin/uv"
        exit 0
    fi
done
cat "$log" >&2
echo "uv could not be installed: install it yourself (https://docs.astral.sh/uv/) and try again." >&2
echo "ติดตั้ง uv ไม่ได้ โปรดติดตั้งเอง (https://docs.astral.sh/uv/) แล้วลองใหม่" >&2
exit 1
