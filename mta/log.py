"""Main, reject and panic log, in the shapes that Exim's have (Exim chapter 52)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from mta.ownership import give_away, make_directory

DEFAULT_SELECTORS = frozenset(
    "acl_warn_skipped connection_reject delay_delivery dnslist_defer etrn "
    "host_lookup_failed lost_incoming_connection msg_id outgoing_interface "
    "queue_run rejected_header retry_defer sender_verify_fail size_reject "
    "skip_delivery smtp_confirmation tls_certificate_verified tls_cipher".split()
)
OTHER_SELECTORS = frozenset(
    "8bitmime all_parents arguments connection_id deliver_time delivery_size dnssec "
    "incoming_interface incoming_port millisec msg_id_created outgoing_port pid "
    "pipelining proxy queue_time queue_time_overall receive_time "
    "received_recipients received_sender return_path_on_delivery "
    "sender_on_delivery smtp_connection smtp_incomplete_transaction "
    "smtp_mailauth smtp_no_mail smtp_protocol_error smtp_syntax_error subject "
    "tls_ocsp tls_peerdn tls_sni tls_verdict unknown_in_list".split()
)
# Exim's, of what is not done here: to ask for them is an error, to decline is not.
ABSENT_SELECTORS = frozenset(
    "address_rewrite dkim dkim_verbose dmarc dmarc_verbose ident_timeout "
    "protocol_detail queue_time_exclusive spf spf_verbose tls_on_connect "
    "tls_resumption".split()
)
ALL_SELECTORS = DEFAULT_SELECTORS | OTHER_SELECTORS
ENTRY_LIMIT = 8192
UNWRITTEN_LIMIT = 256 * 1024
COMPLAINT_SECONDS = 60.0


def parse_selectors(text: str) -> frozenset[str]:
    """Return the selectors that ``log_selector``'s text switches on.

    Raises ValueError naming a selector that is unknown or not supported.
    """
    chosen = set(DEFAULT_SELECTORS)
    for word in text.replace("+", " +").replace("-", " -").split():
        sign, name = word[0], word[1:].strip()
        if name == "rejected_headers":
            name = "rejected_header"
        names = ALL_SELECTORS if name == "all" else {name}
        if name in ABSENT_SELECTORS and sign == "-":
            continue
        if name in ABSENT_SELECTORS:
            raise ValueError(
                f'log selector "{word}" is known to Exim but not supported here'
            )
        if sign not in "+-" or not names <= ALL_SELECTORS:
            raise ValueError(f'unknown log selector "{word}"')
        chosen = chosen | names if sign == "+" else chosen - names
    return frozenset(chosen)


class Logs:
    """The three logs of one process.

    ``path`` gives the file for ``main``, ``reject`` and ``panic``; what goes to the
    main log is also handed to ``echo`` (a foreground start shows it).  A file is reopened when
    it was renamed or removed, as log rotation does.  Lines are gathered until
    ``later`` runs its argument, at most one reactor turn; without ``later`` they are
    written at once.
    """

    def __init__(
        self,
        path: Callable[[str], str],
        *,
        selectors: Iterable[str] = DEFAULT_SELECTORS,
        later: Callable[[Callable[[], None]], object] | None = None,
        echo: Callable[[bytes], object] | None = None,
        clock: Callable[[], float] = time.time,
        write_reject: bool = True,
        timezone: bool = False,
    ) -> None:
        self._path = path
        self.selectors = frozenset(selectors)
        self._later = later
        self._echo = echo
        self._clock = clock
        self._write_reject = write_reject
        self._timezone = timezone
        self._pending: dict[str, list[bytes]] = {}
        self._files: dict[str, tuple[int, str, int, int]] = {}
        self._unwritten: dict[str, bytes] = {}
        self._complained_at = 0.0
        self._second = -1
        self._stamp = ""

    def selects(self, selector: str) -> bool:
        """Return whether ``log_selector`` switches something on."""
        return selector in self.selectors

    def path(self, log: str) -> str:
        """Return the file of ``main``, ``reject`` or ``panic``."""
        return self._path(log)

    def main(self, text: str, message_id: str = "") -> None:
        """Write a line to the main log."""
        self._write("main", self._line(text, message_id))

    def reject(self, text: str, message_id: str = "", detail: str = "") -> None:
        """Write a line to main and reject log; ``detail`` only to the latter."""
        line = self._line(text, message_id)
        self._write("main", line)
        if self._write_reject:
            self._write("reject", line + detail)

    def reject_only(self, text: str, message_id: str = "") -> None:
        """Write a line to the reject log alone."""
        if self._write_reject:
            self._write("reject", self._line(text, message_id))

    def panic(self, text: str, message_id: str = "") -> None:
        """Write a line to main and panic log: a person must look at this."""
        line = self._line(text, message_id)
        self._write("main", line)
        self._write("panic", line)
        self.flush()

    def _line(self, text: str, message_id: str) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", local)
            if self._timezone:
                self._stamp += time.strftime(" %z", local)
        stamp = self._stamp
        if "millisec" in self.selectors:
            stamp = f"{stamp[:19]}.{int(now * 1000) % 1000:03d}{stamp[19:]}"
        if "pid" in self.selectors:
            stamp = f"{stamp} [{os.getpid()}]"
        if message_id:
            stamp = f"{stamp} {message_id}"
        return f"{stamp} {printable(text)}\n"

    def _write(self, log: str, line: str) -> None:
        octets = line.encode("utf-8", "surrogateescape")
        if len(octets) > ENTRY_LIMIT:
            octets = octets[: ENTRY_LIMIT - 20] + b" ...(truncated)\n"
        if not self._pending and self._later is not None:
            self._later(self.flush)
        self._pending.setdefault(log, []).append(octets)
        if self._later is None:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered.

        What cannot be written, since the disk is full, waits for the next time, up
        to a limit: mail goes on without its log.
        """
        pending, self._pending = self._pending, {}
        for log in self._unwritten:
            pending.setdefault(log, [])
        for log, lines in pending.items():
            octets = b"".join(lines)
            if octets and log == "main" and self._echo is not None:
                self._echo(octets)
            if self._unwritten:
                octets = self._unwritten.pop(log, b"") + octets
            try:
                octets = octets[os.write(self._descriptor(log), octets) :]
            except OSError as error:
                self._complain(log, error)
            if octets:
                # From the beginning of a line on, unless part of it is written.
                if len(octets) > UNWRITTEN_LIMIT:
                    octets = octets[-UNWRITTEN_LIMIT:].partition(b"\n")[2]
                self._unwritten[log] = octets

    def _complain(self, log: str, error: OSError) -> None:
        now = self._clock()
        if now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            text = f"mta: cannot write to {self._path(log)}: {error.strerror}\n"
            with suppress(OSError):
                os.write(2, text.encode("utf-8", "surrogateescape"))

    def _descriptor(self, log: str) -> int:
        path = self._path(log)
        opened = self._files.get(log)
        if opened is not None:
            descriptor, opened_path, device, inode = opened
            try:
                status = os.stat(path)
            except OSError:
                status = None
            if (
                status is not None
                and opened_path == path
                and (status.st_dev, status.st_ino) == (device, inode)
            ):
                return descriptor
            del self._files[log]
            os.close(descriptor)
        make_directory(os.path.dirname(path))
        descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640
        )
        give_away(descriptor, path)
        status = os.fstat(descriptor)
        self._files[log] = (descriptor, path, status.st_dev, status.st_ino)
        return descriptor

    def close(self) -> None:
        """Write what was gathered and close the files."""
        self.flush()
        for descriptor, *_ in self._files.values():
            os.close(descriptor)
        self._files.clear()


def printable(text: str) -> str:
    """Return the text with control characters escaped, as Exim's log does."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable() or "\udc80" <= character <= "\udcff":
        return character
    if character == "\n":
        return "\\n"
    if character == "\t":
        return "\\t"
    if character == "\r":
        return "\\r"
    return "".join(f"\\{octet:03o}" for octet in character.encode("utf-8", "replace"))
