#!/bin/sh
# Installs ruff from PyPI into a cache folder, once, and prints where its program is.
set -eu
version=0.9.10
cache=${CERTUS_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/certus-ci}/ruff-$version
if ! [ -x "$cache/bin/ruff" ]; then
    command -v python3 >/dev/null || { echo "python3 with pip is missing; it installs ruff" >&2; exit 1; }
    draft=$cache.$$
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$draft" "ruff==$version" >&2
    rm -rf "$cache"
    mv "$draft" "$cache"
fi
echo "$cache/bin/ruff"
