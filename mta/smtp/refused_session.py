"""A session with a proxy that did not say whose connection it is."""

from __future__ import annotations

from mta.smtp.command import LINE_LIMIT
from mta.smtp.server_replies import NO_PROXY_HEADER, NUL_IN_COMMAND
from mta.smtp.server_session import ServerSession
from mta.smtp.server_states import Event, State
from mta.smtp.server_verbs import find_verb


class RefusedSession(ServerSession):
    """Greets, and then refuses every command but QUIT (Exim chapter 58).

    Each counts as an error of protocol, so that there is an end to it.
    """

    __slots__ = ()

    def _next_line(self) -> bytes | None:
        """Return the next line; LF ends it, too.

        Nothing is obeyed here, so nothing can be smuggled; and who looks for the
        reason with ``nc`` sends no CR.
        """
        if self.state is State.CONNECTED:
            return None
        octets = self.input.take()
        line, end, rest = octets.partition(b"\n")
        if not end and len(octets) <= LINE_LIMIT:
            self.input.put_back(octets)
            return None
        self.input.put_back(rest)
        return line.removesuffix(b"\r")

    def _obey(self, line: bytes) -> Event | None:
        verb, _ = find_verb(line)
        if verb is not None and verb.name == "QUIT":
            return super()._obey(line)
        self.last_command = line
        return self._error(NUL_IN_COMMAND if b"\0" in line else NO_PROXY_HEADER)
