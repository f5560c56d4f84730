"""The shape of the source: what every file must be like."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
FILE_LIMIT = 400
FUNCTION_LIMIT = 40


def modules(*folders: str) -> Iterator[Path]:
    """Give every Python file below some folders of the checkout."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give every function of a file."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


class LayoutTests(SynchronousTestCase):
    """All files."""

    def test_file_length(self) -> None:
        """No file has more lines than one subject needs."""
        long = [
            f"{path.relative_to(ROOT)}: {count}"
            for path in modules("mta", "tests", "benchmarks")
            if (count := len(path.read_text("utf-8").splitlines())) > FILE_LIMIT
        ]
        self.assertEqual([], long)

    def test_function_length(self) -> None:
        """No function has more lines than a screen shows."""
        long = []
        for path in modules("mta", "benchmarks"):
            for node in functions(ast.parse(path.read_text("utf-8"))):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > FUNCTION_LIMIT:
                    long.append(f"{path.relative_to(ROOT)}: {node.name}: {count}")
        self.assertEqual([], long)

    def test_docstrings(self) -> None:
        """Every module, and every public class and function, says what it means."""
        missing = []
        for path in modules("mta"):
            tree = ast.parse(path.read_text("utf-8"))
            name = path.relative_to(ROOT)
            if not ast.get_docstring(tree) and tree.body:
                missing.append(str(name))
            for node in tree.body:
                if (
                    isinstance(
                        node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
                    )
                    and not node.name.startswith("_")
                    and not ast.get_docstring(node)
                ):
                    missing.append(f"{name}: {node.name}")
        self.assertEqual([], missing)

    def test_names(self) -> None:
        """No class is a manager, handler or helper of something."""
        vague = []
        for path in modules("mta"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith(
                    ("Manager", "Handler", "Helper", "Util", "Utils")
                ):
                    vague.append(f"{path.relative_to(ROOT)}: {node.name}")
        self.assertEqual([], vague)

    def test_start_up(self) -> None:
        """What every command loads does not load the reactor, OpenSSL or DNS."""
        slow = (
            "twisted.internet",
            "OpenSSL",
            "cryptography",
            "dns.",
            "service_identity",
        )
        found = []
        for folder in ("lists", "expand", "acl", "config", "lookups", "routers"):
            for path in modules(f"mta/{folder}"):
                for node in ast.parse(path.read_text("utf-8")).body:
                    names = []
                    if isinstance(node, ast.Import):
                        names = [alias.name for alias in node.names]
                    elif isinstance(node, ast.ImportFrom):
                        names = [node.module or ""]
                    found += [
                        f"{path.relative_to(ROOT)}: {name}"
                        for name in names
                        if name.startswith(slow)
                    ]
        self.assertEqual([], found)
