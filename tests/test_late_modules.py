"""Tests of loading modules before privileges are given up."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mta

ROOT = Path(mta.__file__).parent
# What the daemon never runs, or what chooses it itself.
ELSEWHERE = ("commands", "service.py", "ocsp/service.py", "reference.py")


def late_imports() -> Iterator[str]:
    """Give the modules that functions of the daemon import."""
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).as_posix().startswith(ELSEWHERE):
            continue
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        yield node.module
                    elif isinstance(node, ast.Import):
                        yield from (alias.name for alias in node.names)


class LateModulesTests(SynchronousTestCase):
    """What is loaded only when it is needed."""

    def test_all_known(self) -> None:
        """After loading the rest no function has anything left to load."""
        names = sorted(set(late_imports()))
        self.assertIn("mta.smtp", names)
        program = (
            "import sys, mta.service\n"
            "from mta.late_modules import load_the_rest\n"
            "load_the_rest()\n"
            f"print([name for name in {names!r} if name not in sys.modules])"
        )

        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        self.assertEqual((run.stdout.strip(), run.stderr), ("[]", ""))
