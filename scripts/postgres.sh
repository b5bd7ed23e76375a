#!/bin/sh
# Link the folder of PostgreSQL's programs at $1: of the machine's own, else of the distribution's
# packages, fetched into .tools without root and without a system service. Tests that need a database
# skip without it, and say so.
set -eu

link=$1
runs() { "$1/postgres" --version >/dev/null 2>&1 && "$1/initdb" --version >/dev/null 2>&1; }
newest() { find "$1" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort -V | tail -n 1; }

on_path=$(command -v initdb || true)
for found in "${on_path:+$(dirname "$on_path")}" "$(newest /usr/lib/postgresql)/bin" "$(newest "$PWD/.tools/postgresql/usr/lib/postgresql")/bin"; do
    if [ -n "$found" ] && runs "$found"; then
        ln -sfn "$found" "$link"
        exit 0
    fi
done

fetched() {
    rm -rf .tools/apt-postgres .tools/postgresql
    mkdir -p .tools/apt-postgres/lists/partial .tools/apt-postgres/cache/archives/partial .tools/postgresql
    own="-o Dir::State::Lists=$PWD/.tools/apt-postgres/lists -o Dir::Cache=$PWD/.tools/apt-postgres/cache"
    cd .tools/apt-postgres
    # shellcheck disable=SC2086 # $own is several words
    apt-get -qq -o APT::Sandbox::User=root $own update || return 1
    # shellcheck disable=SC2086
    server=$(apt-cache $own depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
    [ -n "$server" ] || return 1
    # shellcheck disable=SC2086
    for package in "$server" $(apt-cache $own depends "$server" | sed -n 's/.*Depends: \(lib[a-z0-9.+-]*\)$/\1/p'); do
        apt-get -qq -o APT::Sandbox::User=root $own download "$package" || return 1
    done
    cd ../..
    for package in .tools/apt-postgres/*.deb; do dpkg-deb -x "$package" .tools/postgresql || return 1; done
    rm -rf .tools/apt-postgres
}

echo "Fetching a PostgreSQL server for the tests ..."
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && (fetched); then
    found=$(newest "$PWD/.tools/postgresql/usr/lib/postgresql")/bin
    libraries=$(dirname "$(find "$PWD/.tools/postgresql/usr/lib" -name 'libpq.so.5' | head -n 1)")
    if LD_LIBRARY_PATH=$libraries runs "$found"; then
        ln -sfn "$found" "$link"
        exit 0
    fi
fi
echo "No PostgreSQL server could be fetched: the tests of the shared journal are skipped." >&2
mkdir -p "$link"
