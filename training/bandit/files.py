"""A bandit from its JSON text, and the one that has learned nothing."""

import json
from typing import Final

from features.errors import BadInputError
from training.bandit.contextual import ContextualBandit
from training.bandit.policy import VariantPolicy
from training.bandit.tallies import FORMAT as TALLIES
from training.bandit.tallies import read_tallies

WAY_OF_LEARNING: Final = 2
"""Raised when the same trials come to teach something else, so that learners begin anew.

1 could take a step too far where nearly all of a day's trials had succeeded, and not find back.
"""


def new_bandit() -> VariantPolicy:
    """Where learning starts."""
    return ContextualBandit.start()


def read_bandit(text: str) -> VariantPolicy:
    """The bandit that `to_json` wrote; BadInputError says what is wrong with another text."""
    try:
        found = json.loads(text)["format"]
    except (ValueError, KeyError, TypeError) as fault:
        raise BadInputError(f"not the state of a bandit: {fault!r}") from fault
    return read_tallies(text) if found == TALLIES else ContextualBandit.from_json(text)
