"""Commands answer at once because they import late.

Looked at through the modules that are loaded: milliseconds depend on the machine.
"""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "boto3",
    "botocore",
    "httpx2",
    "kubernetes",
    "mcp",
    "moto",
    "plotext",
    "prometheus_api_client",
    "rich",
    "slack_sdk",
    "starlette",
    "textual",
    "uvicorn",
}
PROGRAM = """
import json, sys
from petops.commands.main import main

sys.argv = ["petops", *sys.argv[1:]]
try:
    main()
finally:
    sys.stdout.flush()
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_no_vendor(argument: str) -> None:
    command = [sys.executable, "-c", PROGRAM, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not HEAVY & set(json.loads(done.stderr.splitlines()[-1]))
