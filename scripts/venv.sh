#!/bin/sh
# Create .venv and install into it exactly what requirements/dev.lock names.
set -eu

usable='import sys; sys.exit(sys.version_info < (3, 11))'

# Ubuntu 22.04 and macOS call an older Python `python3`; a newer one may stand beside it.
# One that was asked for by name is not replaced by another.
case ${PYTHON:-python3} in
    python3) candidates="python3 python3.13 python3.12 python3.11 python3.14" ;;
    *) candidates=$PYTHON ;;
esac
python=
for candidate in $candidates; do
    if "$candidate" -c "$usable" >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${PYTHON:-python3}" --version 2>&1) || found="no ${PYTHON:-python3}"
    echo "petops needs Python 3.11 or newer, and found ${found}: install one, or name it with 'make PYTHON=/path/to/python3.11'." >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    echo "petops needs Python's venv module, which ${python} lacks: on Debian and Ubuntu, 'sudo apt-get install python3-venv'." >&2
    exit 1
fi

if ! .venv/bin/python -c "$usable; import pip" >/dev/null 2>&1; then
    echo "Creating .venv with $("$python" --version) ..."
    "$python" -m venv --clear .venv
fi
echo "Installing the locked dependencies, which takes a minute ..."
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement requirements/dev.lock
