"""What is read from files, and read anew when these change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from mta.errors import TemporaryFailure
from mta.interfaces import ILogs
from mta.tls.files import Marks, file_marks

LOOK_AGAIN = 5.0
_AWAITED_LOOK = 1.0

T = TypeVar("T")


class Unfinished(TemporaryFailure):
    """Files do not fit together, as when some of them are not yet replaced."""


class Awaited(TemporaryFailure):
    """What belongs to the files is not there, but will be in a moment."""


class Watched(Generic[T]):
    """Something made of several files, which are read together.

    Files are looked at every few seconds.  When one has changed all are read, and what
    they give takes the place of the earlier; where they are no use, the earlier one
    stays, and the panic log says so once for each change.  ``load`` is given the
    earlier one and raises TemporaryFailure.  ``awaited`` gives files that may mend
    what is wrong, besides those that are read.  ``value`` is what was loaded last.
    """

    def __init__(
        self,
        load: Callable[[T | None], T],
        files: Callable[[], Sequence[str]],
        *,
        name: str,
        logs: ILogs,
        awaited: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._load = load
        self._files = files
        self._awaited = awaited
        self._name = name
        self._logs = logs
        self.value: T | None = None
        self._marks: Marks = ()
        self._look_at = 0.0
        self._unfinished: Marks = ()
        self._is_in_trouble = False

    def look_again(self) -> None:
        """Look at the files when next asked, however long ago that was."""
        self._look_at = 0.0

    def current(self, now: float) -> T:
        """Return what the files give, or gave before they were spoilt.

        Raises TemporaryFailure where they never gave anything.
        """
        value = self.value
        if value is not None and now < self._look_at:
            return value
        self._look_at = now + LOOK_AGAIN
        marks = self._seen()
        if value is not None and marks == self._marks:
            return value
        try:
            loaded = self._load(value)
        except TemporaryFailure as error:
            if value is not None and isinstance(error, Awaited):
                self._look_at = now + _AWAITED_LOOK
                return value
            self._failed(error, marks)
            if value is None:
                raise
            return value
        if value is not None and self._seen() != marks:
            # They are being replaced: it may be half of one set and half of another.
            return value
        self.value, self._unfinished = loaded, ()
        self._marks = marks
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._marks = self._seen()
            self._logs.main(f"TLS: {self._name} can be used again")
        return loaded

    def _seen(self) -> Marks:
        marks = file_marks(self._files())
        if self._is_in_trouble and self.value is not None:
            marks += file_marks(self._awaited())
        return marks

    def _failed(self, error: TemporaryFailure, marks: Marks) -> None:
        if self.value is None:
            # Whoever asked tells of it.
            self._is_in_trouble = True
            return
        if isinstance(error, Unfinished) and marks != self._unfinished:
            self._unfinished = marks
            return
        self._is_in_trouble = True
        self._marks = self._seen()
        self._logs.panic(f"TLS error: {error.log_text}; the earlier one is kept")
