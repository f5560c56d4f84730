"""Bodies while they arrive and while they wait: in memory, or in a file when large.

Files are made, written and flushed by one thread; the thread that receives only puts
octets into its queue.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from twisted.internet.defer import Deferred

from mta.errors import SpoolError
from mta.message import Bytes, IBody
from mta.ownership import give_away
from mta.spool.file_body import FileBody

INLINE_LIMIT = 64 * 1024
BEHIND_LIMIT = 512 * 1024
READY_LIMIT = 128 * 1024


class BodyFile:
    """The file of one body while it is written; shared with the writing thread.

    ``given`` is counted by the thread that receives, ``written`` by the one that
    writes; ``waiter`` is called when little is left to write.
    """

    __slots__ = ("descriptor", "error", "given", "name", "waiter", "written")

    def __init__(self, name: str) -> None:
        self.name = name
        self.descriptor = -1
        self.given = 0
        self.written = 0
        self.error: OSError | None = None
        self.waiter: Deferred[None] | None = None


class BodyThread:
    """Writes the files of large bodies, all in one thread that starts when needed."""

    def __init__(
        self,
        directory: str,
        *,
        prefix: str,
        call_in_reactor: Callable[..., object],
    ) -> None:
        self.directory = directory
        self._prefix = prefix
        self._call_in_reactor = call_in_reactor
        self._count = 0
        self._thread: Thread | None = None
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def new_body(self) -> BodyWriter:
        """Return a writer for one body."""
        return BodyWriter(self)

    def new_file(self) -> BodyFile:
        """Return the file of a large body; the thread makes it."""
        self._count += 1
        file = BodyFile(f"{self._prefix}-{self._count}")
        self.put(lambda: self._make(file))
        return file

    def put(self, work: Callable[[], None]) -> None:
        """Have the thread do something, after what it was given before."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="bodies", daemon=True)
            self._thread.start()
        self._work.put(work)

    def stop(self) -> None:
        """End the thread when it has done what it was given."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            # A chunk of a body must not live until the next one comes.
            del work

    def path(self, file: BodyFile) -> str:
        """Return where a file is."""
        return os.path.join(self.directory, file.name)

    def _make(self, file: BodyFile) -> None:
        try:
            file.descriptor = os.open(
                self.path(file),
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
                0o640,
            )
            give_away(file.descriptor, self.path(file))
        except OSError as error:
            file.error = error

    def write(self, file: BodyFile, octets: bytes) -> None:
        """Add octets to a file; in the writing thread."""
        if file.error is None:
            try:
                _write_all(file.descriptor, octets)
            except OSError as error:
                file.error = error
        file.written += len(octets)
        if file.waiter is not None and file.given - file.written <= READY_LIMIT:
            self._call_in_reactor(wake, file)

    def finish(self, file: BodyFile, finished: Deferred[None]) -> None:
        """Flush a file and the folder's entry for it; in the writing thread."""
        if file.error is None:
            try:
                os.fdatasync(file.descriptor)
                os.close(file.descriptor)
                file.descriptor = -1
                folder = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            except OSError as error:
                file.error = error
        self._call_in_reactor(finished.callback, None)

    def remove(self, file: BodyFile) -> None:
        """Close and remove a file; in the writing thread."""
        if file.descriptor >= 0:
            os.close(file.descriptor)
            file.descriptor = -1
        self._unlink(file.name)

    def discard(self, name: str) -> None:
        """Have the file of a name removed that no message needs any more."""
        self.put(lambda: self._unlink(name))

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(os.path.join(self.directory, name))
        except OSError:
            # What stays behind is removed at the next start.
            pass


def _write_all(descriptor: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(descriptor, view) :]


def wake(file: BodyFile) -> None:
    """Tell who waits for a file that little is left to write; in the reactor."""
    waiter, file.waiter = file.waiter, None
    if waiter is not None:
        waiter.callback(None)


class BodyWriter:
    """Keeps a body while it arrives (``mta.interfaces.IBodyWriter``)."""

    __slots__ = ("_chunks", "_file", "_thread", "size")

    def __init__(self, thread: BodyThread) -> None:
        self._thread = thread
        self._chunks: list[bytes] = []
        self._file: BodyFile | None = None
        self.size = 0

    def write(self, octets: bytes) -> None:
        """Add octets."""
        self.size += len(octets)
        if self._file is not None:
            self._to_file(octets)
            return
        self._chunks.append(octets)
        if self.size > INLINE_LIMIT:
            self._file = self._thread.new_file()
            self._to_file(b"".join(self._chunks))
            self._chunks = []

    def _to_file(self, octets: bytes) -> None:
        file, thread = self._file, self._thread
        assert file is not None
        file.given += len(octets)
        thread.put(lambda: thread.write(file, octets))

    @property
    def is_behind(self) -> bool:
        """True while more waits to be written than should be held in memory."""
        file = self._file
        return file is not None and file.given - file.written > BEHIND_LIMIT

    async def when_ready(self) -> None:
        """Wait until it is no longer behind."""
        file = self._file
        if file is None or file.given - file.written <= READY_LIMIT:
            return
        waiter = file.waiter
        if waiter is None:
            waiter = file.waiter = Deferred()
        # The thread may have written the last octets just before.
        if file.given - file.written <= READY_LIMIT:
            wake(file)
        await waiter

    async def finish(self) -> IBody:
        """End the body; a large one is then safe on disk.  Raises SpoolError."""
        file, thread = self._file, self._thread
        if file is None:
            return Bytes(b"".join(self._chunks))
        finished: Deferred[None] = Deferred()
        thread.put(lambda: thread.finish(file, finished))
        await finished
        if file.error is not None:
            raise SpoolError(f"cannot write a body: {file.error}") from file.error
        return FileBody(thread.path(file), self.size)

    def abandon(self) -> None:
        """Throw away what was written, even if it was finished."""
        file, thread = self._file, self._thread
        self._chunks = []
        self._file = None
        if file is not None:
            thread.put(lambda: thread.remove(file))
