"""What can be known of wordings at all, from the messages that a company has sent.

How well a wording suits a segment is a law of our world. Its history sent every wording by chance;
what came of that is all that anybody can learn from. Between chance and the best wording of each
segment lies what is at stake, and the shares of it are measured here that three get who know that
history: the bandit as it is served, the bandit if it always took its best guess, and a posterior
that is told how far wordings differ, cell by cell, and takes the share of what follows a message
that hangs on it to be whatever suits it best. It knows more than anybody could.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.vocabulary import Channel, Trigger
from serving.learner.fold import Settled, learn_on, rule_of
from serving.learner.history import read_history
from serving.policy.cases import Floats, to_us
from serving.policy.settings import load_policy_settings
from serving.rehearsal.worlds import Simulated
from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.policy import VariantContexts, VariantPolicy
from training.bandit.rewards import Cell, RewardState, Trials, judge_messages
from training.benchmarks.rows import BenchRow
from training.world.codes import INDEX
from training.world.mail.response import POWER
from training.world.scenario import scenario_named
from training.world.simulated import SimulatedWorld

CASE: Final = "wordings_at_stake"
WAYS: Final = ("bandit", "best_guess", "told_the_spread")
_LEAST_TRIALS = 50
_SHARES_CAUSED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class _Place:
    """The two wordings of one trigger on one channel, and the segments that read them.

    Attributes:
        cell: The trigger and channel.
        names: The variants.
        segments: Names, (s,).
        truth: How well each suits each segment, (s, 2).
        n: Trials, (s, 2).
        told: Purchases, or calls, (s, 2).
    """

    cell: Cell
    names: tuple[str, ...]
    segments: tuple[str, ...]
    truth: Floats
    n: Floats
    told: Floats

    @property
    def weight(self) -> Floats:
        """How much hangs on each segment, (s,): messages x what a message achieves."""
        weight: Floats = self.n.sum(axis=1) * POWER[INDEX[self.cell.trigger]]
        return weight


@dataclass(frozen=True)
class _Spread:
    """How far the two wordings of a place differ: standard deviations over the world's truth.

    Attributes:
        main: Of the difference that all segments of a place share.
        segment: Of what a segment adds to it.
    """

    main: float
    segment: float

    @classmethod
    def of(cls, places: Sequence[_Place]) -> "_Spread":
        """The spread of the truth, which nobody but a benchmark is told."""
        differences = [place.truth[:, 1] - place.truth[:, 0] for place in places]
        apart = np.concatenate([one - one.mean() for one in differences])
        shared = np.array([one.mean() for one in differences])
        return cls(float(np.sqrt((shared**2).mean())), float(np.sqrt((apart**2).mean())))


def bench_wordings_at_stake(
    *,
    scenario: str = "calm",
    seed: int = 1,
    n_customers: int = 20_000,
    history_days: int = 180,
) -> list[BenchRow]:
    """A row per way and kind of message: the share of what is at stake that it gets.

    Args:
        scenario: Of our world.
        seed: Of the world.
        n_customers: Customers.
        history_days: Days of messages.
    """
    source = Simulated(n_customers, history_days)
    world = SimulatedWorld(
        seed=seed, n_customers=n_customers, days=history_days, scenario=scenario_named(scenario)
    )
    rule = rule_of(source.price(load_policy_settings()))
    history = read_history(world.tables(world.start), as_of=world.start, rule=rule)
    as_of_us = to_us(world.start)
    trials = judge_messages(history, rule=rule, as_of_us=as_of_us)
    bandit = learn_on(Settled.nothing(), trials, as_of_us=as_of_us, rule=rule).served
    places = list(_list_places(world, trials))
    n = int(sum(place.n.sum() for place in places))
    rows = []
    for kind, of_kind in (("marketing", False), ("service", True)):
        chosen = [one for one in places if one.cell.trigger.is_service is of_kind]
        spread = _Spread.of(chosen)
        shares = [
            _share(chosen, _as_served(bandit)),
            _share(chosen, _by_guess(bandit)),
            max(_share(chosen, _told(spread, share)) for share in _SHARES_CAUSED),
        ]
        rows += [
            BenchRow(f"{CASE}/{scenario}", f"{kind}_{name}", share, None, None, None, None, "1", n)
            for name, share in zip(WAYS, shares, strict=True)
        ]
    return rows


def _list_places(world: SimulatedWorld, trials: Trials) -> Iterator[_Place]:
    """Every trigger on every channel that has been tried often enough."""
    won = trials.is_in(RewardState.SUCCESS)
    frame = pd.DataFrame(
        {
            "trigger": [trigger.value for trigger in trials.triggers],
            "channel": [channel.value for channel in trials.channels],
            "variant": trials.variants,
            "segment": trials.segments,
            "won": won,
        }
    )[won | trials.is_in(RewardState.FAILURE)]
    for _, tried in frame.groupby(["trigger", "channel"]):
        first = tried.iloc[0]
        cell = Cell(Trigger(first["trigger"]), Channel(first["channel"]))
        names = sorted(tried["variant"].unique())
        if len(names) != 2 or len(tried) < _LEAST_TRIALS:
            continue
        truth = world.mean_appeals(names)
        told = tried["won"] ^ cell.trigger.is_service  # of service: calls
        by = [tried["segment"], tried["variant"]]
        n, happened = (
            counts.unstack(fill_value=0).reindex(index=truth.index, columns=names, fill_value=0)
            for counts in (tried.groupby(by).size(), told.astype(int).groupby(by).sum())
        )
        yield _Place(
            cell,
            tuple(names),
            tuple(truth.index),
            truth.to_numpy(dtype=np.float64),
            n.to_numpy(dtype=np.float64),
            happened.to_numpy(dtype=np.float64),
        )


def _share(places: Sequence[_Place], choose: Callable[[_Place], Floats]) -> float:
    """Of what the best wordings are above chance, what a choice with these chances is, (s, 2)."""
    got = at_stake = 0.0
    for place in places:
        chance = place.truth.mean(axis=1)
        got += float(place.weight @ ((choose(place) * place.truth).sum(axis=1) - chance))
        at_stake += float(place.weight @ (place.truth.max(axis=1) - chance))
    return got / at_stake if at_stake else float("nan")


def _as_served(bandit: VariantPolicy) -> Callable[[_Place], Floats]:
    def choose(place: _Place) -> Floats:
        return bandit.probabilities(_readers(place), arms=place.names)

    return choose


def _by_guess(bandit: VariantPolicy) -> Callable[[_Place], Floats]:
    """Always what is likelier to be the better one."""
    served = _as_served(bandit)
    return lambda place: np.eye(2)[served(place).argmax(axis=1)]


def _readers(place: _Place) -> VariantContexts:
    n = len(place.segments)
    unknown = np.full((n, len(CONTEXT_NUMBERS)), np.nan)
    cell = place.cell
    return VariantContexts(cell.trigger, cell.channel, ("",) * n, place.segments, unknown)


def _told(spread: _Spread, share_caused: float) -> Callable[[_Place], Floats]:
    """What a normal posterior of the segments' differences chooses that knows their spread."""

    def choose(place: _Place) -> Floats:
        n_segments = len(place.segments)
        rate = np.divide(place.told, place.n, out=np.zeros_like(place.n), where=place.n > 0)
        of_segment = place.told.sum(axis=1) / np.maximum(place.n.sum(axis=1), 1.0)
        base = (place.told.sum() / place.n.sum() + of_segment) / 2.0
        effect = share_caused * base * (-1.0 if place.cell.trigger.is_service else 1.0)
        known = (place.n > 0).all(axis=1) & (base > 0)
        difference = (rate[:, 1] - rate[:, 0])[known] / effect[known]
        variance = (base[known, None] / place.n[known]).sum(axis=1) / effect[known] ** 2
        design = np.column_stack([np.ones(n_segments), np.eye(n_segments)])
        sd = np.array([spread.main, *[spread.segment] * n_segments])
        seen = design[known] / variance[:, None]
        precision = np.diag(1.0 / sd**2) + seen.T @ design[known]
        mean = design @ np.linalg.solve(precision, seen.T @ difference)
        best: Floats = np.eye(2)[(mean > 0).astype(int)]
        return best

    return choose
