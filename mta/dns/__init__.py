"""A stub resolver: dnspython's wire format over Twisted's UDP and TCP.

The four outcomes of a look-up (``mta.host.Outcome``) are never mixed up, since a
"not now" that is taken for "there is none" loses mail.
"""

from mta.dns.resolver import Resolver

__all__ = ["Resolver"]
