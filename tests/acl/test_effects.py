"""What is switched on at first."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.effects import Controls


class ControlsTests(SynchronousTestCase):
    """The controls of a connection."""

    def test_at_first(self) -> None:
        """Nothing is changed for a client until an ACL says so."""
        controls = Controls()

        self.assertTrue(controls.multiline_replies and controls.pipelining)
        self.assertFalse(
            controls.auth_unadvertised
            or controls.frozen
            or controls.queue_only
            or controls.suppress_local_fixups
        )

    def test_message(self) -> None:
        """A message's end leaves what concerns the connection."""
        controls = Controls(pipelining=False, frozen=True)

        controls.reset_message()

        self.assertFalse(controls.pipelining or controls.frozen)
