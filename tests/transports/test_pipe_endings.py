"""Tests for what the end of a command means to ``mta.transports.pipe``."""

from __future__ import annotations

from mta.recipient import Result
from tests.transports.delivering import batch_of
from tests.transports.test_pipe import PipeCase, transport


class EndingTests(PipeCase):
    """What the end of a command means."""

    async def test_good(self) -> None:
        """Status zero is a delivery."""
        outcome = await self.shell("exit 0")

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertTrue(outcome.local)

    async def test_failure(self) -> None:
        """Another status is a failure whose text is for the log."""
        outcome = await self.shell("exit 5")

        self.assertIs(outcome.result, Result.FAILED)
        self.assertEqual(
            outcome.text, "run transport: command returned 5: /bin/sh -c exit 5"
        )
        self.assertEqual(outcome.report_text, "local delivery failed")

    async def test_temporary(self) -> None:
        """Statuses of temp_errors are tried again."""
        self.assertIs((await self.shell("exit 75")).result, Result.DEFERRED)
        self.assertIs((await self.shell("exit 73")).result, Result.DEFERRED)
        self.assertIs(
            (await self.shell("exit 75", temp_errors="1")).result, Result.FAILED
        )
        self.assertIs(
            (await self.shell("exit 9", temp_errors="*")).result, Result.DEFERRED
        )

    async def test_ignored(self) -> None:
        """ignore_status takes all for success, signals too."""
        for text in ("exit 5", "exit 75", "kill -9 $$"):
            outcome = await self.deliver(
                transport(text, use_shell="true", ignore_status="true")
            )
            self.assertIs(outcome.result, Result.DELIVERED)

    async def test_signal(self) -> None:
        """A signal is a failure, or by option freezes the message."""
        failed = await self.deliver(transport("kill -9 $$", use_shell="true"))
        frozen = await self.deliver(
            transport("kill -9 $$", use_shell="true", freeze_signal="true")
        )

        self.assertIs(failed.result, Result.FAILED)
        self.assertIn("signal 9", failed.text)
        self.assertIs(frozen.result, Result.DEFERRED)
        self.assertTrue(frozen.freeze)

    async def test_timeout(self) -> None:
        """A timeout is a failure, or by option tried again."""
        failed = await self.shell("sleep 20", timeout="1s")
        again = await self.shell("sleep 20", timeout="1s", timeout_defer="true")

        self.assertIs(failed.result, Result.FAILED)
        self.assertIs(again.result, Result.DEFERRED)
        self.assertIn("timed out", failed.text)

    async def test_cannot_be_run(self) -> None:
        """A file that is no program fails, or by option freezes the message."""
        failed = await self.deliver(transport("/no/such"))
        frozen = await self.deliver(transport("/no/such", freeze_exec_fail="true"))

        self.assertIs(failed.result, Result.FAILED)
        self.assertIn("127 (No such file or directory)", failed.text)
        self.assertIs(frozen.result, Result.DEFERRED)
        self.assertTrue(frozen.freeze)

    async def test_too_much_output(self) -> None:
        """Too much output fails, whatever is ignored."""
        outcome = await self.shell(
            "while :; do echo yyyyyy; done", max_output="100", ignore_status="true"
        )

        self.assertIs(outcome.result, Result.FAILED)
        self.assertIn("too much output", outcome.text)


class OutputTests(PipeCase):
    """What is done with what a command says."""

    async def test_discarded(self) -> None:
        """Without options it is neither logged nor returned."""
        outcome = await self.shell("echo a; exit 1")

        self.assertEqual(outcome.output, b"")
        self.assertEqual(self.logged(), [])

    async def test_returned(self) -> None:
        """return_output makes any output a failure, even a temporary status."""
        for text in ("echo a", "echo a; exit 75"):
            outcome = await self.shell(text, return_output="true")
            self.assertIs(outcome.result, Result.FAILED)
            self.assertEqual(outcome.output, b"a\n")

    async def test_nothing_to_return(self) -> None:
        """Without output there is no failure."""
        outcome = await self.shell("exit 0", return_output="true")

        self.assertIs(outcome.result, Result.DELIVERED)

    async def test_returned_after_failure(self) -> None:
        """return_fail_output returns the output of failures alone."""
        good = await self.shell("echo a", return_fail_output="true")
        again = await self.shell("echo a; exit 75", return_fail_output="true")
        failed = await self.shell("echo a; exit 1", return_fail_output="true")

        self.assertIs(good.result, Result.DELIVERED)
        self.assertIs(again.result, Result.DEFERRED)
        self.assertEqual((failed.result, failed.output), (Result.FAILED, b"a\n"))

    async def test_report(self) -> None:
        """A report has nobody to return output to."""
        driver = transport("/bin/echo a", return_output="true")

        outcome = await self.deliver(driver, batch_of())

        self.assertEqual(outcome.output, b"")

    async def test_logged(self) -> None:
        """Each option logs the first line in its own case."""
        for option, text, is_logged in (
            ("log_output", "echo a; echo b", True),
            ("log_output", "exit 0", False),
            ("log_fail_output", "echo a", False),
            ("log_fail_output", "echo a; exit 75", False),
            ("log_fail_output", "echo a; exit 1", True),
            ("log_defer_output", "echo a; exit 1", False),
            ("log_defer_output", "echo a; exit 75", True),
        ):
            await self.shell(text, **{option: "true"})
            expected = ["<joe@example.com>: run transport output: a"]
            self.assertEqual(self.logged(), expected if is_logged else [], text)
