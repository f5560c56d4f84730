"""Fetch revocation lists by HTTP, within limits of size and time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.web.client import URI, ResponseFailed

from mta.tls.crl import SIZE_LIMIT
from mta.tls.web_channel import WebChannel, WebFailure
from mta.tls.web_client import WebRequest, ask, content_of

TIME_LIMIT = 60.0
CONNECT_LIMIT = 15.0
HEADER_LIMIT = 64 * 1024


class CRLFetchError(Exception):
    """A list could not be had; the text says why."""


class CRLFetcher:
    """Gets what is at a URL; redirections are not followed.

    The certificates that name the URLs must have been verified: nobody else may say
    what this host connects to.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def fetch(self, url: str) -> bytes:
        """Return the octets at a URL; raise CRLFetchError."""
        excess = f"it sends more than {SIZE_LIMIT} octets"
        channel = WebChannel(SIZE_LIMIT + HEADER_LIMIT, excess)
        getting = Deferred.fromCoroutine(self._get(url, channel))

        def end() -> None:
            channel.problem = f"no answer within {TIME_LIMIT:g} s"
            getting.cancel()

        timer = self._reactor.callLater(TIME_LIMIT, end)
        try:
            octets = await getting
        except CancelledError:
            if not channel.problem:
                raise
        finally:
            if timer.active():
                timer.cancel()
            channel.abort()
        if channel.problem:
            raise CRLFetchError(channel.problem)
        return octets

    async def _get(self, url: str, channel: WebChannel) -> bytes:
        try:
            place: Any = URI.fromBytes(url.encode("ascii"))  # type: ignore[no-untyped-call]
            endpoint = HostnameEndpoint(
                self._reactor, place.host, place.port, timeout=CONNECT_LIMIT
            )
            request = WebRequest("GET", url, {"Accept": "*/*"})
            response = await ask(self._reactor, endpoint, channel, request)
            if response.code != 200:
                raise CRLFetchError(f"HTTP status {response.code}")
            # What was cut off is no list, as its form shows.
            return await content_of(
                response, SIZE_LIMIT + HEADER_LIMIT, takes_unmarked_end=True
            )
        except (DNSLookupError, ConnectError) as error:
            raise CRLFetchError(str(error)) from error
        except (ResponseFailed, ConnectionClosed, ValueError, WebFailure) as error:
            text = "no whole answer of HTTP came"
            raise CRLFetchError(channel.problem or text) from error
