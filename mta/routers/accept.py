"""The accept router (Exim chapter 16)."""

from __future__ import annotations

from mta.expand.context import Context
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict, router


@router("accept")
class Accept(Router):
    """Takes every address for which the preconditions hold."""

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Accept."""
        return Decision(Verdict.ACCEPT)
