#!/bin/sh
# Compile the locks from pyproject.toml: every version with its hashes, for Linux and macOS and every
# Python that petops supports. dev.lock is for the work tree; run.lock, the same versions of what
# petops needs to run and nothing else, for the container. No index is named in it: pip's own settings decide.
set -eu

[ -x .tools/uv/bin/uv ] || {
    "${PYTHON:-python3}" -m venv .tools/uv
    .tools/uv/bin/pip install -qq --disable-pip-version-check uv
}
.tools/uv/bin/uv pip compile pyproject.toml --extra lab --extra otel --extra postgres --extra web --group dev --group build \
    --universal --python-version 3.11 --no-build --generate-hashes --upgrade --quiet \
    --no-annotate --no-emit-index-url --no-emit-find-links \
    --custom-compile-command "make lock" --output-file requirements/dev.lock
.tools/uv/bin/uv pip compile pyproject.toml --extra otel --extra postgres --constraint requirements/dev.lock \
    --universal --python-version 3.11 --no-build --generate-hashes --quiet \
    --no-annotate --no-emit-index-url --no-emit-find-links \
    --custom-compile-command "make lock" --output-file requirements/run.lock
