"""The command line starts quickly: what only some commands need is not imported by all."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

NOT_AT_THE_START = {"asyncio", "http", "importlib.metadata", "numpy", "ssl", "yaml", "zstandard"}

IMPORT = "import json, sys, podpath.cli.main; print(json.dumps(list(sys.modules)))"


@pytest.mark.skipif(find_spec("podpath.cli.main") is None, reason="podpath.cli.main does not exist yet")
def test_the_command_line_imports_nothing_heavy():
    run = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    assert NOT_AT_THE_START & set(json.loads(run.stdout)) == set()
