"""Coroutines that were begun by hand, since most of them never wait."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def rest_of(coroutine: Coroutine[Any, Any, T], waited: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has begun to wait for something.

    ``Deferred.fromCoroutine`` takes the result like any coroutine.
    """
    while True:
        try:
            result = yield waited
        except Exception as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, result)
        try:
            waited = step()
        except StopIteration as stop:
            found: T = stop.value
            return found


class StillWaits(Exception):
    """A coroutine waits for something though it must not."""


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that has nothing to wait for, or raise its error.

    Raises StillWaits where it waits after all; it is ended then.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        found: T = stop.value
        return found
    coroutine.close()
    raise StillWaits
