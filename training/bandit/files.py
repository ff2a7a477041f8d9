"""A bandit from its JSON text, and the one that has learned nothing."""

import json

from features.errors import BadInputError
from training.bandit.contextual import ContextualBandit
from training.bandit.policy import VariantPolicy
from training.bandit.tallies import FORMAT as TALLIES
from training.bandit.tallies import read_tallies


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
