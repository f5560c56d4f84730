"""The main options that say which ACL is run when (Exim chapter 43, section 2)."""

from __future__ import annotations

from mta.acl.evaluate import ACLs
from mta.acl.registry import Phase
from mta.acl.run import ACLError
from mta.acl.syntax import ACL, misplaced
from mta.errors import ConfigurationError, ConfigurationErrors
from mta.expand.option_types import Expanded
from mta.interfaces import ITemplate
from mta.options import Boolean, Configurable, Option


class ACLOptions(Configurable):
    """Which ACL decides at which moment."""

    acl_smtp_connect = Option(
        Expanded, None, "ACL for a connection, before anything is sent."
    )
    acl_smtp_helo = Option(Expanded, None, "ACL for EHLO and HELO.")
    acl_smtp_starttls = Option(Expanded, None, "ACL for STARTTLS.")
    acl_smtp_auth = Option(Expanded, None, "ACL for AUTH.")
    acl_smtp_mail = Option(Expanded, None, "ACL for MAIL.")
    acl_smtp_mailauth = Option(Expanded, None, "ACL for the AUTH parameter of MAIL.")
    acl_smtp_rcpt = Option(
        Expanded, None, "ACL for RCPT; without one every recipient is refused."
    )
    acl_smtp_predata = Option(Expanded, None, "ACL for DATA, before the content.")
    acl_smtp_data = Option(Expanded, None, "ACL for a message, after its content.")
    acl_smtp_vrfy = Option(
        Expanded, None, "ACL for VRFY; without one it is refused and not advertised."
    )
    acl_smtp_expn = Option(
        Expanded, None, "ACL for EXPN; without one it is refused and not advertised."
    )
    acl_smtp_etrn = Option(
        Expanded, None, "ACL for ETRN; without one it is refused and not advertised."
    )
    acl_smtp_quit = Option(Expanded, None, "ACL for QUIT; it can set the reply's text.")
    acl_smtp_notquit = Option(
        Expanded, None, "ACL for a session that ends without QUIT."
    )
    acl_not_smtp_start = Option(
        Expanded, None, "ACL for a message that comes by no SMTP, before it is read."
    )
    acl_not_smtp = Option(
        Expanded, None, "ACL for a message that comes by no SMTP, after it is read."
    )
    smtp_return_error_details = Option(
        Boolean, "false", "Tell clients why an address could not be verified."
    )

    def at(self, phase: Phase) -> ITemplate | None:
        """Return the option of a phase, None where it is not set."""
        found: ITemplate | None = getattr(self, OPTION_OF[phase])
        return found


OPTION_OF: dict[Phase, str] = {
    phase: (
        f"acl_{str(phase.name).lower()}"
        if phase in (Phase.NOT_SMTP, Phase.NOT_SMTP_START)
        else f"acl_smtp_{str(phase.name).lower()}"
    )
    for phase in Phase
    if phase is not Phase.EXPANSION
}


def bound_acls(options: ACLOptions, acls: ACLs) -> dict[Phase, ACL | ITemplate]:
    """Return the ACL of each phase that has one: found, or to be found by expansion.

    Raises ConfigurationErrors for a constant that stands for no ACL, and for what an
    ACL uses in a phase that has no such thing.
    """
    bound: dict[Phase, ACL | ITemplate] = {}
    errors: list[ConfigurationError] = []
    for phase, name in OPTION_OF.items():
        template = options.at(phase)
        if template is None:
            continue
        bound[phase] = template
        text = template.constant
        if text is None or text.startswith("/"):
            continue
        try:
            acl = acls.find(text)
        except ACLError as error:
            settings = options.settings.get(name, ())
            errors.extend(setting.source.error(str(error)) for setting in settings)
        else:
            bound[phase] = acl
            errors.extend(misplaced(acl, phase))
    if errors:
        raise ConfigurationErrors(errors)
    return bound
