"""Verify an address by routing it (Exim chapter 43, "address verification")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mta.address import Address
from mta.callout import Callout, CalloutAnswer
from mta.delivery.routing import RouterChain, address_to_route
from mta.expand.context import Context
from mta.message import Recipient
from mta.recipient import RoutedAddress
from mta.routers.base import Purpose

if TYPE_CHECKING:
    from mta.delivery.callout import Callouts


@dataclass(slots=True)
class AddressVerification:
    """What verifying found out (``mta.interfaces.Verification``)."""

    outcome: str = "ok"
    text: str = ""
    user_text: bool = False
    failure: str = ""
    data: str = ""
    answer: CalloutAnswer | None = None


class RoutingVerifier:
    """Verifies addresses by routing and callout (``mta.interfaces.IAddressVerifier``).

    Without ``callouts`` none can be made, and who asks for one is told to try later.
    """

    def __init__(self, chain: RouterChain, callouts: Callouts | None = None) -> None:
        self._chain = chain
        self._callouts = callouts

    async def verify_recipient(
        self,
        address: Address,
        context: Context,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> AddressVerification:
        """Say whether mail for an address can be delivered."""
        purpose = Purpose.VERIFY_RECIPIENT
        return await self._verify(address, context, purpose, callout, follows_redirects)

    async def verify_sender(
        self,
        address: Address,
        context: Context,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> AddressVerification:
        """Say whether a report to an address could be delivered; the null path can."""
        if not address:
            return AddressVerification()
        purpose = Purpose.VERIFY_SENDER
        return await self._verify(address, context, purpose, callout, follows_redirects)

    async def _verify(
        self,
        address: Address,
        context: Context,
        purpose: Purpose,
        callout: Callout | None,
        follows_redirects: bool,
    ) -> AddressVerification:
        if not address.domain:
            text = f"address <{address}> has no domain"
            return AddressVerification("fail", text, failure="qualify")
        start = address_to_route(address, Recipient(address))
        inner = replace(context, address=start, values=dict(context.values))
        routes = await self._chain.route(
            start, inner, purpose=purpose, follows_redirects=follows_redirects
        )
        for outcome, found in (("fail", routes.failed), ("defer", routes.deferred)):
            if found:
                decision = found[0][1]
                return AddressVerification(
                    outcome,
                    decision.text,
                    decision.user_text,
                    "route",
                    found[0][0].address_data,
                )
        final = routes.accepted[0] if routes.accepted else start
        if callout is None or not routes.accepted:
            return AddressVerification(data=final.address_data)
        inner.address, inner.addresses = final, [final]
        return await self._call_out(final, inner, callout)

    async def _call_out(
        self, address: RoutedAddress, context: Context, callout: Callout
    ) -> AddressVerification:
        data = address.address_data
        if self._callouts is None:
            text = "callouts cannot be made here"
            return AddressVerification("defer", text, data=data)
        found = await self._callouts.ask(address, context, callout)
        if found is None:
            return AddressVerification(data=data)
        return AddressVerification(
            found.outcome, found.text, False, found.failure, data, found.answer
        )
