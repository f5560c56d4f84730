"""Tests of what startTLS leaves behind."""

from __future__ import annotations

import contextlib
import gc
import socket
import weakref
from typing import Any

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.self_signed import make_self_signed
from mta.tls.server import ServerTLS, server_context
from mta.tls_remains import release_tls


def shake_hands(transport: Any, theirs: socket.socket) -> None:
    """Let a client at the other end negotiate, and close."""
    theirs.setblocking(False)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    for step in (client.do_handshake, client.do_handshake, client.shutdown):
        with contextlib.suppress(SSL.WantReadError):
            step()
        with contextlib.suppress(SSL.WantReadError):
            theirs.send(client.bio_read(1 << 16))
        transport.doRead()
        transport.doWrite()
        with contextlib.suppress(BlockingIOError):
            client.bio_write(theirs.recv(1 << 16))


class ReleaseTests(SynchronousTestCase):
    """A connection on which TLS was begun, once it has ended."""

    def ended(self, *, releases: bool) -> bool:
        """Return whether nothing of it is left, though no garbage was collected."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.addCleanup(ours.close)
        protocol: Any = Protocol()
        reactor: Any = MemoryReactor()
        transport: Any = tcp.Server(ours, protocol, ("", 0), None, 1, reactor)
        protocol.makeConnection(transport)
        context = server_context()
        make_self_signed("mx.example", 0.0).use(context)
        transport.startTLS(ServerTLS(context))
        shake_hands(transport, theirs)
        transport.connectionLost(Failure(ConnectionDone()))
        if releases:
            release_tls(transport)
        left = weakref.ref(transport)
        del protocol, transport, reactor
        return left() is None

    def test_released(self) -> None:
        """It is gone at once, where otherwise it waits for the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertFalse(self.ended(releases=False))
        self.assertTrue(self.ended(releases=True))

    def test_without(self) -> None:
        """Where there was no TLS, nothing happens."""

        class Plain:
            transport: Any = None

        release_tls(Plain())
