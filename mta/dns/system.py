"""What the operating system knows of names and name servers."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from mta.dns.exchange import Server
from mta.dns.names import canonical_name
from mta.host import Answer, Outcome


def ask_system(name: str) -> Answer:
    """Return the addresses that getaddrinfo gives; this waits, so use a thread."""
    try:
        found = socket.getaddrinfo(canonical_name(name), None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            return Answer(Outcome.NO_DOMAIN)
        if error.errno == getattr(socket, "EAI_NODATA", None):
            return Answer(Outcome.NO_DATA)
        return Answer(Outcome.AGAIN, text=str(error.strerror))
    except UnicodeError:
        return Answer(Outcome.NO_DOMAIN, text="not a domain name")
    found.sort(key=lambda entry: entry[0] != socket.AF_INET6)
    return Answer(
        Outcome.FOUND, tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    )


@dataclass(slots=True)
class ResolverFile:
    """What a ``resolv.conf`` says, or what holds where it says nothing.

    ``trusts_ad`` is its option ``trust-ad``: what the servers call authenticated is.
    """

    servers: list[Server] = field(default_factory=list)
    timeout: float = 5.0
    attempts: int = 2
    trusts_ad: bool = False

    def take_option(self, word: str) -> None:
        """Heed one word of a line of options, if we know it."""
        name, _, value = word.partition(":")
        if name == "timeout" and value.isdigit():
            self.timeout = float(max(1, min(int(value), 30)))
        elif name == "attempts" and value.isdigit():
            self.attempts = max(1, min(int(value), 5))
        elif word == "trust-ad":
            self.trusts_ad = True


def read_resolv_conf(path: str) -> ResolverFile:
    """Return what a ``resolv.conf`` says."""
    found = ResolverFile()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        lines = []
    for words in lines:
        if len(words) > 1 and words[0] == "nameserver" and len(found.servers) < 3:
            found.servers.append((words[1], 53))
        elif words and words[0] == "options":
            for word in words[1:]:
                found.take_option(word)
    if not found.servers:
        found.servers = [("127.0.0.1", 53)]
    return found
