#!/bin/sh
# Link a Prometheus server at $1: the one on PATH, else one that is fetched into .tools without root
# and without a system service.
set -eu

link=$1
private=.tools/prometheus/usr/bin/prometheus

runs() {
    "$1" --version 2>&1 | grep -q '^prometheus, version'
}

# Debian and Ubuntu: the distribution's package, unpacked and not installed. Where the package
# lists are missing or out of date, a private copy of them is fetched first.
from_apt() {
    rm -rf .tools/apt .tools/prometheus
    mkdir -p .tools/apt/lists/partial .tools/apt/cache/archives/partial .tools/prometheus
    own="-o Dir::State::Lists=$PWD/.tools/apt/lists -o Dir::Cache=$PWD/.tools/apt/cache"
    (
        cd .tools/apt
        # shellcheck disable=SC2086 # $own is several words
        apt-get -qq -o APT::Sandbox::User=root download prometheus 2>/dev/null || {
            apt-get -qq -o APT::Sandbox::User=root $own update &&
                apt-get -qq -o APT::Sandbox::User=root $own download prometheus
        }
    ) || return 1
    dpkg-deb -x .tools/apt/prometheus_*.deb .tools/prometheus || return 1
    rm -rf .tools/apt
}

if found=$(command -v prometheus) && [ "$found" != "$PWD/$link" ] && runs "$found"; then
    binary=$found
elif runs "$PWD/$private"; then
    binary=$PWD/$private
else
    echo "Fetching a Prometheus server ..."
    if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        from_apt && binary=$PWD/$private || binary=
    elif command -v brew >/dev/null; then
        brew install --quiet prometheus >&2 && binary=$(brew --prefix prometheus)/bin/prometheus || binary=
    else
        binary=
    fi
    if [ -z "$binary" ] || ! runs "$binary"; then
        echo "petops needs a Prometheus server for its lab and could not fetch one: put a 'prometheus' program on PATH and run 'make setup' again." >&2
        exit 1
    fi
fi
ln -sf "$binary" "$link"
