"""What a bandit has learned: successes and failures by cell and variant, as JSON.

The state is a function of the set of rewards alone: neither their order nor repeats change it,
and so a learner that crashed can build it again from the log.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.rewards import Cell, Reward, drop_repeats

FORMAT = "opportune.bandit/1"


@dataclass(frozen=True)
class BetaPrior:
    """What is believed of a variant that has never been sent.

    The default is worth 20 messages at a rate of 5 %: wide enough that a new variant is tried.
    """

    alpha: float = 1.0
    beta: float = 19.0

    def __post_init__(self) -> None:
        if min(self.alpha, self.beta) < 0.5:
            raise BadInputError(
                f"a Beta prior wants alpha and beta of 0.5 or more, got {self.alpha}, {self.beta}"
            )


@dataclass(frozen=True)
class Tally:
    """How often a variant worked and how often it did not."""

    n_successes: int = 0
    n_failures: int = 0


@dataclass(frozen=True)
class BanditState:
    """Everything that a bandit without context has learned.

    Attributes:
        prior: Where every variant starts.
        tallies: By cell and variant; variants that were never sent are absent.
    """

    prior: BetaPrior = field(default_factory=BetaPrior)
    tallies: Mapping[tuple[Cell, str], Tally] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """How many rewards it has seen: grows with what it knows, equal for equal states."""
        return sum(tally.n_successes + tally.n_failures for tally in self.tallies.values())

    def posterior(self, cell: Cell, variant: str) -> tuple[float, float]:
        """Alpha and beta of a variant's success rate."""
        tally = self.tallies.get((cell, variant), Tally())
        return self.prior.alpha + tally.n_successes, self.prior.beta + tally.n_failures

    def update(self, rewards: Iterable[Reward]) -> Self:
        """The state that has also seen these rewards.

        Args:
            rewards: Of messages that this state has not counted yet. Repeats among them count
                once; a learner that cannot tell what was counted builds the state anew from all.
        """
        counts = Counter((r.cell, r.variant, r.success) for r in drop_repeats(rewards))
        touched = {(cell, variant) for cell, variant, _ in counts}
        tallies = dict(self.tallies)
        for cell, variant in touched:
            known = tallies.get((cell, variant), Tally())
            tallies[cell, variant] = Tally(
                known.n_successes + counts[cell, variant, True],
                known.n_failures + counts[cell, variant, False],
            )
        return type(self)(self.prior, tallies)

    def to_json(self) -> str:
        """The state as JSON text; equal states give equal text."""
        rows = [
            {
                "trigger": cell.trigger.value,
                "channel": cell.channel.value,
                "variant": variant,
                "n_successes": tally.n_successes,
                "n_failures": tally.n_failures,
            }
            for (cell, variant), tally in sorted(self.tallies.items(), key=lambda item: item[0])
        ]
        prior = {"alpha": self.prior.alpha, "beta": self.prior.beta}
        return json.dumps(
            {"format": FORMAT, "version": self.version, "prior": prior, "tallies": rows}
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The state that `to_json` wrote; BadInputError says what is wrong with another text."""
        try:
            data = json.loads(text)
            _require_format(data["format"])
            prior = BetaPrior(data["prior"]["alpha"], data["prior"]["beta"])
            return cls(prior, dict(_read_tally(row) for row in data["tallies"]))
        except (ValueError, KeyError, TypeError) as fault:
            raise BadInputError(f"not the state of a bandit: {fault!r}") from fault


def state_from(rewards: Iterable[Reward], *, prior: BetaPrior | None = None) -> BanditState:
    """The state that has seen exactly these rewards, in any order, each message once."""
    return BanditState(prior or BetaPrior()).update(rewards)


def _require_format(found: str) -> None:
    if found != FORMAT:
        raise ValueError(f"format {found!r}, expected {FORMAT!r}")


def _read_tally(row: Mapping[str, Any]) -> tuple[tuple[Cell, str], Tally]:
    cell = Cell(Trigger(row["trigger"]), Channel(row["channel"]))
    tally = Tally(row["n_successes"], row["n_failures"])
    if min(tally.n_successes, tally.n_failures) < 0:
        raise ValueError(f"negative count in {row}")
    return (cell, row["variant"]), tally
