"""Post a TLS report to a web server that proves its name (RFC 8460, section 5.4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from mta.delivery.tls_report_mail import MEDIA_TYPE
from mta.errors import TemporaryFailure
from mta.log import printable
from mta.tls.web_channel import WebFailure
from mta.tls.web_client import (
    HTTPS_PORT,
    TIME_LIMIT,
    AddressResolver,
    HTTPSClient,
    Limits,
    WebRequest,
)

# Only the status of an answer counts.
_ANSWER_LIMIT = 131_072
_TEXT_LIMIT = 200


class PostFailure(Exception):
    """A report was not taken; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text[:_TEXT_LIMIT]))


def is_public(ip_address: str) -> bool:
    """Return whether an address is one of the Internet.

    Who asks for reports names the place: it must be none within our own network.
    """
    return ipaddress.ip_address(ip_address).is_global


class ReportPoster:
    """Posts reports; what waits is a coroutine, nothing blocks.

    ``certificates`` are those that may vouch for web servers: ``system``, a file or a
    directory.  Only addresses are connected to that ``is_allowed`` says yes to.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: AddressResolver,
        *,
        certificates: str = "system",
        is_allowed: Callable[[str], bool] = is_public,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._client = HTTPSClient(
            reactor,
            resolver,
            certificates=certificates,
            is_allowed=is_allowed,
            limits=Limits(
                octets=_ANSWER_LIMIT,
                excess="it sends more than an answer can have",
                late="no answer",
                seconds=time_limit,
            ),
        )

    async def post(self, url: str, octets: bytes) -> None:
        """Give octets to a web server; raise PostFailure unless it takes them."""
        parts = urlsplit(url)
        request = WebRequest("POST", url, {"Content-Type": MEDIA_TYPE}, octets)
        try:
            await self._client.exchange(
                parts.hostname or "", parts.port or HTTPS_PORT, request, _check
            )
        except WebFailure as error:
            raise PostFailure(str(error)) from error
        except TemporaryFailure as error:
            raise PostFailure(error.log_text or str(error)) from error


async def _check(response: Any) -> None:
    if not 200 <= response.code < 300:
        raise WebFailure(f"HTTP status {response.code}")
