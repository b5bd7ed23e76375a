#!/bin/sh
# Link a headless Chromium at $1: one on PATH, else the distribution's headless shell, unpacked into
# .tools without root. Where there is none to be had, say so and leave: only its tests are skipped.
set -eu

link=$1
private=.tools/chromium/usr/lib/chromium/chromium-headless-shell

runs() {
    timeout 20 "$1" --version 2>/dev/null | grep -qi chrom
}

# Debian: the package and those that it needs and that are not installed, unpacked and not installed.
from_apt() {
    rm -rf .tools/apt-chromium .tools/chromium
    mkdir -p .tools/apt-chromium/lists/partial .tools/apt-chromium/cache/archives/partial .tools/chromium
    own="-o Dir::State::Lists=$PWD/.tools/apt-chromium/lists -o Dir::Cache=$PWD/.tools/apt-chromium/cache"
    wanted() {
        # shellcheck disable=SC2086 # $1 is several words
        apt-get -qq $1 --no-install-recommends --simulate install chromium-headless-shell 2>/dev/null |
            sed -n 's/^Inst \([^ ]*\) .*/\1/p'
    }
    options=
    names=$(wanted "") || names=
    fetch() {
        [ -n "$names" ] || return 1
        # shellcheck disable=SC2086
        (cd .tools/apt-chromium && apt-get -qq -o APT::Sandbox::User=root $options download $names 2>/dev/null)
    }
    fetch || {
        # shellcheck disable=SC2086
        apt-get -qq -o APT::Sandbox::User=root $own update 2>/dev/null || return 1
        options=$own
        names=$(wanted "$own") || return 1
        fetch || return 1
    }
    for package in .tools/apt-chromium/*.deb; do dpkg-deb -x "$package" .tools/chromium; done
    rm -rf .tools/apt-chromium
}

# It finds its libraries where they were unpacked.
wrapped() {
    cat >.tools/chromium/chromium <<END
#!/bin/sh
here=$PWD/.tools/chromium
LD_LIBRARY_PATH=\$(echo "\$here"/usr/lib/*-linux-gnu):\${LD_LIBRARY_PATH:-} exec "$PWD/$private" "\$@"
END
    chmod +x .tools/chromium/chromium
    binary=$PWD/.tools/chromium/chromium
}

binary=
for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    if found=$(command -v "$name") && [ "$found" != "$PWD/$link" ] && runs "$found"; then
        binary=$found
        break
    fi
done
mac="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
[ -n "$binary" ] || { [ -x "$mac" ] && binary=$mac; } || true
if [ -z "$binary" ] && [ -x .tools/chromium/chromium ] && runs .tools/chromium/chromium; then
    binary=$PWD/.tools/chromium/chromium
fi
if [ -z "$binary" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    echo "Fetching a headless Chromium for the tests of the lab's page ..."
    if from_apt && [ -x "$private" ]; then
        wrapped
        runs "$binary" || binary=
    fi
fi
if [ -z "$binary" ]; then
    echo "No Chromium can be had here: the tests of the lab's page are skipped." >&2
    exit 0
fi
ln -sf "$binary" "$link"
