#!/bin/sh
# Compile requirements/dev.lock from pyproject.toml: every version with its hashes, for Linux and
# macOS and every Python that petops supports. No index is named in it: pip's own settings decide.
set -eu

[ -x .tools/uv/bin/uv ] || {
    "${PYTHON:-python3}" -m venv .tools/uv
    .tools/uv/bin/pip install -qq --disable-pip-version-check uv
}
.tools/uv/bin/uv pip compile pyproject.toml --extra lab --group dev --group build \
    --universal --python-version 3.11 --no-build --generate-hashes --upgrade --quiet \
    --no-annotate --no-emit-index-url --no-emit-find-links \
    --custom-compile-command "make lock" --output-file requirements/dev.lock
