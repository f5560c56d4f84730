"""Variables that describe TLS: of the client (``in``), of the remote host (``out``)."""

from __future__ import annotations

from mta.connection import TLSFacts
from mta.expand.certificate import CertificateText
from mta.expand.context import Context
from mta.expand.registry import variable


class TLSVariable:
    """One fact of a handshake, empty or 0 where there was none.

    ``direction`` is ``in``, ``out``, or ``either`` for the old names, which mean the
    remote host's while a transport runs.
    """

    extension_name: str

    def __init__(self, direction: str, fact: str, sentence: str) -> None:
        self.direction = direction
        self.fact = fact
        self.__doc__ = sentence

    def __call__(self, context: Context) -> str:
        facts = self._facts(context)
        if facts is None:
            return _WITHOUT.get(self.fact, "")
        value = getattr(facts, self.fact)
        if isinstance(value, bool):
            return "1" if value else "0"
        return value if isinstance(value, str) else str(value)

    def _facts(self, context: Context) -> TLSFacts | None:
        if self.direction == "in":
            return context.connection.tls
        is_out = self.direction == "out" or context.transport_name
        return context.tls_out if is_out else context.connection.tls


class TLSCertificate(TLSVariable):
    """One certificate of a handshake, empty where there was none."""

    def __call__(self, context: Context) -> str:
        facts = self._facts(context)
        certificate = None if facts is None else getattr(facts, self.fact)
        return "" if certificate is None else CertificateText.of(certificate)


_WITHOUT = {"bits": "0", "ocsp": "0", "verified": "0", "tlsa_usage": "0"}
_BITS = "The strength of the encryption in bits."
_VERIFIED = "1 where the peer's certificate was verified, else 0."
_CIPHER = "The cipher suite as Exim writes it."
_CIPHER_STD = "The cipher suite's name in the RFCs."
_VERSION = "The version of TLS."
_PEER_DN = "The distinguished name in the peer's certificate."
_OCSP = "What came of stapling: 0 to 4."
_SNI = "The server name that was asked for."
_OUR_CERTIFICATE = "The certificate that we showed, for operators and ${certextract."
_PEER_CERTIFICATE = "The peer's certificate, for operators and ${certextract."

tls_in_bits = variable("tls_in_bits")(TLSVariable("in", "bits", _BITS))
tls_in_certificate_verified = variable("tls_in_certificate_verified")(
    TLSVariable("in", "verified", _VERIFIED)
)
tls_in_cipher = variable("tls_in_cipher")(TLSVariable("in", "cipher", _CIPHER))
tls_in_cipher_std = variable("tls_in_cipher_std")(
    TLSVariable("in", "cipher_std", _CIPHER_STD)
)
tls_in_ver = variable("tls_in_ver")(TLSVariable("in", "version", _VERSION))
tls_in_peerdn = variable("tls_in_peerdn")(TLSVariable("in", "peer_dn", _PEER_DN))
tls_in_ocsp = variable("tls_in_ocsp")(TLSVariable("in", "ocsp", _OCSP))
tls_in_sni = variable("tls_in_sni")(TLSVariable("in", "sni", _SNI))
tls_in_ourcert = variable("tls_in_ourcert")(
    TLSCertificate("in", "our_certificate", _OUR_CERTIFICATE)
)
tls_in_peercert = variable("tls_in_peercert")(
    TLSCertificate("in", "peer_certificate", _PEER_CERTIFICATE)
)


@variable("tls_in_resumption")
def tls_in_resumption(context: Context) -> str:
    """How the session was resumed, as bits: always 0, since none ever is."""
    return "0"


tls_out_bits = variable("tls_out_bits")(TLSVariable("out", "bits", _BITS))
tls_out_certificate_verified = variable("tls_out_certificate_verified")(
    TLSVariable("out", "verified", _VERIFIED)
)
tls_out_cipher = variable("tls_out_cipher")(TLSVariable("out", "cipher", _CIPHER))
tls_out_cipher_std = variable("tls_out_cipher_std")(
    TLSVariable("out", "cipher_std", _CIPHER_STD)
)
tls_out_ver = variable("tls_out_ver")(TLSVariable("out", "version", _VERSION))
tls_out_peerdn = variable("tls_out_peerdn")(TLSVariable("out", "peer_dn", _PEER_DN))
tls_out_ocsp = variable("tls_out_ocsp")(TLSVariable("out", "ocsp", _OCSP))
tls_out_sni = variable("tls_out_sni")(TLSVariable("out", "sni", _SNI))
tls_out_tlsa_usage = variable("tls_out_tlsa_usage")(
    TLSVariable(
        "out",
        "tlsa_usage",
        "The usages of the host's TLSA records as bits: 4 DANE-TA, 8 DANE-EE, 0 none.",
    )
)
tls_out_ourcert = variable("tls_out_ourcert")(
    TLSCertificate("out", "our_certificate", _OUR_CERTIFICATE)
)
tls_out_peercert = variable("tls_out_peercert")(
    TLSCertificate("out", "peer_certificate", _PEER_CERTIFICATE)
)


@variable("tls_out_resumption")
def tls_out_resumption(context: Context) -> str:
    """How the session was resumed, as bits: always 0, since none ever is."""
    return "0"


@variable("tls_out_dane")
def tls_out_dane(context: Context) -> str:
    """Whether DANE has verified the remote host: yes or no."""
    facts = context.tls_out
    return "yes" if facts is not None and facts.dane else "no"


tls_bits = variable("tls_bits")(TLSVariable("either", "bits", _BITS))
tls_certificate_verified = variable("tls_certificate_verified")(
    TLSVariable("either", "verified", _VERIFIED)
)
tls_cipher = variable("tls_cipher")(TLSVariable("either", "cipher", _CIPHER))
tls_peerdn = variable("tls_peerdn")(TLSVariable("either", "peer_dn", _PEER_DN))
tls_sni = variable("tls_sni")(TLSVariable("either", "sni", _SNI))
