"""Who may be written to, for which purpose, and where a message would arrive.

Consent has two layers. Without consent to the channel nothing is sent on it. Where consent to
marketing is told apart, a marketing message needs that as well; a service message (a problem or an
order of the customer's own) does not. What is not known is a no.
"""

import numpy as np

from serving.policy.cases import Cases, Flags


def is_unknown(cases: Cases) -> Flags:
    """Customers whom neither the tables nor the request know, (n,)."""
    return ~cases.known


def is_suppressed(cases: Cases) -> Flags:
    """Customers who complained and must not be written to at all, (n,)."""
    return cases.suppressed


def lacks_consent(cases: Cases) -> Flags:
    """Channels without consent, (n, 5)."""
    return ~cases.consent


def lacks_marketing_consent(cases: Cases) -> Flags:
    """Channels without consent to marketing, (n, 5); none for a service trigger."""
    if cases.trigger.is_service or cases.marketing_consent is None:
        return np.zeros_like(cases.consent)
    return ~cases.marketing_consent


def open_channels(cases: Cases) -> Flags:
    """Channels that neither consent, purpose nor reach closes, (n, 5)."""
    return ~(lacks_consent(cases) | lacks_marketing_consent(cases) | is_unreachable(cases))


def is_unreachable(cases: Cases) -> Flags:
    """Channels on which a message would not arrive, (n, 5)."""
    return np.zeros_like(cases.consent) if cases.reachable is None else ~cases.reachable
