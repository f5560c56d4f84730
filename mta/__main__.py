"""``python -m mta`` is the command ``mta``."""

from mta.commands.command_line import run

run()
