"""Tell twistd of ``twistd mta-ocsp``."""

from twisted.application.service import ServiceMaker

mta_ocsp = ServiceMaker(
    "MTA's OCSP responder",
    "mta.ocsp.service",
    "An OCSP responder for a certificate authority of one's own.",
    "mta-ocsp",
)
