"""Keep what trial's test cases write out of the source tree."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(autouse=True, scope="session")
def scratch_directory() -> Iterator[None]:
    """Run all tests in a directory of their own: ``mktemp`` writes where it is."""
    directory = tempfile.mkdtemp(prefix="mta-tests-")
    before = os.getcwd()
    os.chdir(directory)
    # Programs that tests start find the checkout all the same.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    if _ROOT not in sys.path:
        sys.path.insert(0, _ROOT)
    yield
    os.chdir(before)
    shutil.rmtree(directory, ignore_errors=True)
