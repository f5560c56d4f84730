"""AUTH: which mechanisms a client is offered, and one exchange with it (RFC 4954).

An authenticator is an object like ``Authenticator``.  Its ``converse`` is an
asynchronous generator: it yields a ``Challenge`` and is sent the client's response,
and at last yields an ``AuthenticationVerdict``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from mta.errors import TemporaryFailure
from mta.expand.context import Context


class Challenge(NamedTuple):
    """What the client is asked; it may be empty."""

    octets: bytes = b""


class AuthenticationVerdict(NamedTuple):
    """How an exchange ended: ``outcome`` is ``ok``, ``fail`` or ``defer``.

    ``identity`` becomes ``$authenticated_id``, or after a failure the
    ``set_id=`` of the log line; ``text`` says more to the log.
    """

    outcome: str
    identity: str = ""
    text: str = ""


Exchange = AsyncGenerator[Challenge | AuthenticationVerdict, bytes]


class Authenticator(Protocol):
    """One mechanism of the configuration, server side.

    ``name`` is the instance's, ``public_name`` the mechanism's in upper case.
    """

    @property
    def name(self) -> str: ...

    @property
    def public_name(self) -> str: ...

    async def is_offered(self, context: Context) -> bool:
        """Return whether the client of the context may use it now."""

    def converse(self, response: bytes | None, context: Context) -> Exchange:
        """Begin an exchange; the initial response is None where there was none."""


class InvalidResponse(ValueError):
    """The client's response is not in base 64."""


async def offered(
    authenticators: Sequence[Authenticator], context: Context
) -> tuple[str, ...]:
    """Return the mechanisms that the client is offered, each once, in their order.

    One that cannot be asked about now is not offered.
    """
    names: dict[str, None] = {}
    for authenticator in authenticators:
        try:
            if await authenticator.is_offered(context):
                names[authenticator.public_name.upper()] = None
        except TemporaryFailure:
            continue
    return tuple(names)


async def chosen(
    authenticators: Sequence[Authenticator], mechanism: str, context: Context
) -> Authenticator | None:
    """Return the first authenticator that offers the client a mechanism."""
    for authenticator in authenticators:
        if authenticator.public_name.upper() != mechanism:
            continue
        if await authenticator.is_offered(context):
            return authenticator
    return None


def decode_response(response: bytes) -> bytes:
    """Return what a response says; a lone ``=`` is an empty initial one.

    Raises InvalidResponse.
    """
    if response == b"=":
        return b""
    try:
        return base64.b64decode(response, validate=True)
    except binascii.Error as error:
        raise InvalidResponse(str(error)) from error


def encode_challenge(octets: bytes) -> bytes:
    """Return a challenge as it goes on the wire, after ``334``."""
    return base64.b64encode(octets)
