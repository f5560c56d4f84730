"""A session with a proxy that did not say whose connection it is."""

from __future__ import annotations

from mta.smtp.server_replies import NO_PROXY_HEADER, NUL_IN_COMMAND
from mta.smtp.server_session import ServerSession
from mta.smtp.server_states import Event
from mta.smtp.server_verbs import find_verb


class RefusedSession(ServerSession):
    """Greets, and then refuses every command but QUIT (Exim chapter 58)."""

    __slots__ = ()

    def _obey(self, line: bytes) -> Event | None:
        verb, _ = find_verb(line)
        if verb is not None and verb.name == "QUIT":
            return super()._obey(line)
        self.last_command = line
        self._put(NUL_IN_COMMAND if b"\0" in line else NO_PROXY_HEADER)
        return None
