"""Sphinx settings; the reference manual is written from the code at each build."""

import sys
from pathlib import Path

_DOCS = Path(__file__).parent
sys.path.insert(0, str(_DOCS.parent))

from mta import reference  # noqa: E402 - found by the line above

project = "mta"
copyright = "2026, the authors of mta"
extensions: list[str] = []
exclude_patterns = ["_build"]
html_theme = "alabaster"
smartquotes = False

reference.write(_DOCS / "reference")
