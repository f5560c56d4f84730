"""Tell twistd of ``twistd mta``."""

from twisted.application.service import ServiceMaker

mta = ServiceMaker(
    "MTA",
    "mta.service",
    "A mail transfer agent that reads Exim's configuration language.",
    "mta",
)
