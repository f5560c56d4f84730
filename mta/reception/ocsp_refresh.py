"""Who keeps the OCSP proofs of the certificates that clients are served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mta.expand.context import Site
from mta.interfaces import ILogs
from mta.reception.ocsp_options import OCSPOptions, proxy_of, responders_of

if TYPE_CHECKING:
    from cryptography import x509

    from mta.ocsp.refresher import Refresher


def build_refresher(
    options: OCSPOptions,
    *,
    site: Site,
    logs: ILogs,
    reactor: Any,
    served: Callable[[], Iterable[x509.Certificate]],
    resumes: bool,
) -> Refresher | None:
    """Return what keeps proofs; None where the options do not want that.

    ``served`` gives the certificates that are served now.  Where ``resumes`` is true
    they are not known at the start, and those of before are taken.  Raises
    ConfigurationError.
    """
    responders, proxy = responders_of(options, site), proxy_of(options, site)
    if not options.tls_ocsp_refresh:
        return None
    # Start-up time: few want it.
    from mta.ocsp.folder import proof_folder  # noqa: PLC0415
    from mta.ocsp.refresher import Refresher  # noqa: PLC0415

    return Refresher(
        folder=proof_folder(site.spool_directory),
        responders=responders,
        proxy=proxy,
        served=served,
        resumes=resumes,
        logs=logs,
        reactor=reactor,
    )
