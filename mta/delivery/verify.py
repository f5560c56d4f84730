"""Verify an address by routing it (Exim chapter 43, "address verification")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mta.address import Address
from mta.callout import Callout, CalloutAnswer
from mta.delivery.routing import RouterChain, address_to_route
from mta.expand.context import Context
from mta.message import Recipient
from mta.routers.base import Purpose


@dataclass(slots=True)
class AddressVerification:
    """What verifying found out (``mta.interfaces.Verification``)."""

    outcome: str = "ok"
    text: str = ""
    user_text: bool = False
    failure: str = ""
    data: str = ""
    answer: CalloutAnswer | None = None


_UNASKED = AddressVerification("defer", "callouts cannot be made here")


class RoutingVerifier:
    """Verifies addresses by routing (``mta.interfaces.IAddressVerifier``)."""

    def __init__(self, chain: RouterChain) -> None:
        self._chain = chain

    async def verify_recipient(
        self,
        address: Address,
        context: Context,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> AddressVerification:
        """Say whether mail for an address can be delivered."""
        if callout is not None:
            return _UNASKED
        return await self._verify(address, context, Purpose.VERIFY_RECIPIENT)

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
        if callout is not None:
            return _UNASKED
        return await self._verify(address, context, Purpose.VERIFY_SENDER)

    async def _verify(
        self, address: Address, context: Context, purpose: Purpose
    ) -> AddressVerification:
        if not address.domain:
            text = f"address <{address}> has no domain"
            return AddressVerification("fail", text, failure="qualify")
        start = address_to_route(address, Recipient(address))
        inner = replace(context, address=start, values=dict(context.values))
        routes = await self._chain.route(start, inner, purpose=purpose)
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
        return AddressVerification(data=final.address_data)
