"""Connect to an SMTP or LMTP server."""

from __future__ import annotations

import os
from errno import ECONNREFUSED, ETIMEDOUT
from typing import Any

from twisted.internet import error, protocol
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mta.smtp.client import SMTPClient
from mta.smtp.client_failure import SessionFailure, TimeLimits, Trouble


class _ClientFactory(protocol.ClientFactory):
    noisy = False

    def __init__(self, client: SMTPClient) -> None:
        self.client = client

    def buildProtocol(self, addr: Any) -> SMTPClient:
        self.client.factory = self
        return self.client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.client.made.errback(reason)


async def connect(
    reactor: Any,
    ip_address: str,
    port: int,
    *,
    limits: TimeLimits,
    interface: str = "",
    is_lmtp: bool = False,
    keepalive: bool = True,
) -> SMTPClient:
    """Return a client whose connection is made; nothing was said on it yet.

    Raises SessionFailure.  Where it is cancelled nothing stays open.
    """
    client = SMTPClient(clock=reactor, limits=limits, is_lmtp=is_lmtp)
    connector = reactor.connectTCP(
        ip_address,
        port,
        _ClientFactory(client),
        timeout=limits.connect or None,
        bindAddress=(interface, 0) if interface else None,
    )
    try:
        await client.made
    except error.ConnectError as problem:
        raise _failure(problem) from problem
    except CancelledError:
        # Nobody would be left to close a connection that is made later.
        connector.disconnect()
        raise
    transport: Any = client.transport
    transport.setTcpNoDelay(True)
    if keepalive:
        transport.setTcpKeepAlive(True)
    return client


def _failure(problem: error.ConnectError) -> SessionFailure:
    number = problem.osError if isinstance(problem.osError, int) else 0
    if isinstance(problem, (error.TimeoutError, error.TCPTimedOutError)):
        number = ETIMEDOUT
    elif isinstance(problem, error.ConnectionRefusedError):
        number = ECONNREFUSED
    text = os.strerror(number) if number else str(problem)
    return SessionFailure(
        Trouble.CONNECT, text, command="initial connection", number=number
    )
