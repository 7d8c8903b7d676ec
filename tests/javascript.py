"""Runs the page's JavaScript in node."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def run(sources: Sequence[Path], body: str, given: Any) -> Any:
    """What `body`, which knows `given`, returns behind these sources."""
    assert NODE is not None
    scripts = "\n".join(file.read_text("utf-8") for file in sources)
    asked = "const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
    program = f'"use strict";\n{scripts}\n{asked}\nconsole.log(JSON.stringify((() => {{ {body} }})()));'
    done = subprocess.run([NODE, "-e", program], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
