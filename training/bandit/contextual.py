"""The bandit that is served: Thompson sampling on a pooled logistic model of all variants.

One model holds the variants of every trigger and channel, so that a variant nobody knows starts
from what others of its trigger, its channel and its style have shown, and leaves them behind as far
as its own data say. A style may suit some readers better than others wherever it appears: styles
have slopes of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.arms import ArmLearner, BanditSettings
from training.bandit.beliefs import ArmPrior, collect_priors
from training.bandit.context import LAYOUT, N_FIXED, encode_contexts, meet_segments
from training.bandit.contextual_json import (
    FORMAT,
    ArmPriorRecord,
    ArmRecord,
    BanditRecord,
    SettingsRecord,
    pack_linear,
    pack_memory,
    read_record,
    write_record,
)
from training.bandit.delays import DelayTally
from training.bandit.linear import LinearSettings
from training.bandit.memories import restore_memories
from training.bandit.policy import Arm, Flags, Floats, VariantContexts, require_arms
from training.bandit.rewards import Cell, RewardState, Trials
from training.bandit.sites import Designs, Rows, Sites

_TRIGGERS, _CHANNELS = list(Trigger), list(Channel)


@dataclass(frozen=True, eq=False)
class ContextualBandit:
    """A `VariantPolicy` that knows who reads.

    Attributes:
        arms: Cell and name of every variant it has seen or been asked about, in the order of the
            learner's arms.
        learner: What is known of them.
        delays: How long outcomes take.
        n_trials: Trials learned.
        segments: Segments of readers that have a column, in the order of the columns.
        priors: What is believed beforehand of single variants.
    """

    arms: tuple[Arm, ...]
    learner: ArmLearner
    delays: DelayTally
    n_trials: int
    segments: tuple[str, ...] = ()
    priors: Mapping[Arm, ArmPrior] = field(default_factory=dict)
    _asked: dict[Cell, "ContextualBandit"] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def start(cls, settings: BanditSettings | None = None) -> Self:
        """Before the first trial."""
        learner = ArmLearner.start(design_arms((), n_columns=N_FIXED), settings)
        return cls((), learner, DelayTally.empty(), 0)

    @property
    def version(self) -> int:
        """How many trials it has learned from."""
        return self.n_trials

    @cached_property
    def position(self) -> dict[Arm, int]:
        """Place of each variant among the learner's arms."""
        return {arm: at for at, arm in enumerate(self.arms)}

    def probabilities(
        self, contexts: VariantContexts, *, arms: Sequence[str], allowed: Flags | None = None
    ) -> Floats:
        """The probability that each variant is chosen, (n, arms) in the order given."""
        require_arms(contexts.cell, arms)
        wanted = [(contexts.cell, name) for name in arms]
        knowing = self._knowing(contexts.cell, wanted)
        x = self.encode(contexts.languages, contexts.segments, contexts.numbers)
        positions = [knowing.position[arm] for arm in wanted]
        return knowing.learner.probabilities(x, arms=positions, allowed=allowed)

    def update(self, trials: Trials) -> Self:
        """The bandit that has also learned from these trials, in one batch."""
        if not len(trials):
            return self
        wanted = [
            (Cell(trigger, channel), variant)
            for trigger, channel, variant in zip(
                trials.triggers, trials.channels, trials.variants, strict=True
            )
        ]
        wider = self.with_arms(wanted, segments=trials.segments)
        success, failure = trials.is_in(RewardState.SUCCESS), trials.is_in(RewardState.FAILURE)
        watched = trials.watched_us / trials.window_us
        has_delay = ~trials.is_told_at_end
        undecided = self.delays.undecided_weights(
            watched,
            ages=trials.ages_us / trials.window_us,
            success=success & has_delay,
            failure=failure & has_delay,
        )
        weights = np.where(success | failure, 1.0, np.where(has_delay, undecided, 0.0))
        rows = Rows.sort(
            wider.encode(trials.languages, trials.segments, trials.numbers),
            np.array([wider.position[arm] for arm in wanted], dtype=np.int64),
            success.astype(np.float64),
            weights,
        )
        closed = trials.is_matured & has_delay
        delays = self.delays.add(watched, success=success & closed, failure=failure & closed)
        return replace(
            wider,
            learner=wider.learner.learn(rows),
            delays=delays,
            n_trials=self.n_trials + len(trials),
            _asked={},
        )

    def told(self, rows: Rows, *, n_trials: int) -> Self:
        """This bandit after trials in the form of the learner's rows; of delays they say nothing.

        Args:
            rows: With the places of `self.arms`; a row may weigh as much as many trials.
            n_trials: How many trials they are.
        """
        return replace(
            self,
            learner=self.learner.learn(rows),
            n_trials=self.n_trials + n_trials,
            _asked={},
        )

    def with_arms(self, arms: Sequence[Arm], *, segments: Sequence[str | None] = ()) -> Self:
        """The same knowledge, and a place for these arms and segments, in order of their names."""
        known = (*self.arms, *sorted(set(arms) - self.position.keys()))
        met = meet_segments(self.segments, segments)
        if known == self.arms and met == self.segments:
            return self
        return self._placed(known, met, priors=self.priors)

    def believing(self, priors: Mapping[Arm, ArmPrior]) -> Self:
        """The same knowledge, and just these beliefs about variants before their first trial.

        Data are kept apart from beliefs, so a belief may be given or taken back at any time; with
        trials it fades.
        """
        if dict(priors) == dict(self.priors):
            return self
        known = (*self.arms, *sorted(priors.keys() - self.position.keys()))
        return self._placed(known, self.segments, priors=dict(priors))

    def _placed(
        self, arms: tuple[Arm, ...], segments: tuple[str, ...], *, priors: Mapping[Arm, ArmPrior]
    ) -> Self:
        designs = design_arms(arms, n_columns=N_FIXED + len(segments), priors=priors)
        learner = self.learner.widen(designs)
        return replace(
            self, arms=arms, segments=segments, priors=priors, learner=learner, _asked={}
        )

    def encode(
        self, languages: Sequence[str], segments: Sequence[str | None], numbers: Floats
    ) -> Floats:
        """Readers as the learner's contexts, (n, columns)."""
        return encode_contexts(languages, segments, numbers, known=self.segments)

    def _knowing(self, cell: Cell, wanted: Sequence[Arm]) -> "ContextualBandit":
        """This bandit with a place for arms that it was never told of; kept by cell."""
        if all(arm in self.position for arm in wanted):
            return self
        kept = self._asked.get(cell, self)
        if not all(arm in kept.position for arm in wanted):
            kept = kept.with_arms(wanted)
            self._asked[cell] = kept
        return kept

    def to_json(self) -> str:
        """Everything it knows as text; equal bandits give equal text."""
        memories, settings = self.learner.memories, self.learner.settings
        packed = tuple(
            pack_memory(
                memory.sites,
                memory.spread,
                length=length,
                weight=float(memories.weights[at]),
                evidence=memories.evidence[at],
            )
            for at, (memory, length) in enumerate(
                zip(memories.each, settings.memory.lengths, strict=True)
            )
        )
        record = BanditRecord(
            format=FORMAT,
            layout=LAYOUT,
            n_trials=self.n_trials,
            arms=tuple(
                ArmRecord(trigger=cell.trigger, channel=cell.channel, variant=name)
                for cell, name in self.arms
            ),
            segments=self.segments,
            settings=SettingsRecord.of(settings),
            successes=tuple(self.delays.successes.tolist()),
            failures=tuple(self.delays.failures.tolist()),
            memories=packed,
            linear=pack_linear(
                memories.linear.sites, settings.memory.linear, weight=memories.p_linear
            ),
            priors=tuple(
                ArmPriorRecord(arm=at, shift=prior.shift, left=prior.left)
                for at, prior in sorted(
                    (self.position[arm], prior) for arm, prior in self.priors.items()
                )
            ),
        )
        return write_record(record)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The bandit that `to_json` wrote; BadInputError says what is wrong with another text."""
        record = read_record(text)
        if record.layout != LAYOUT:
            raise BadInputError(
                f"a bandit of contexts {record.layout!r}, this version has {LAYOUT!r}"
            )
        arms = tuple((Cell(arm.trigger, arm.channel), arm.variant) for arm in record.arms)
        segments = record.segments or ()
        priors = _read_priors(record, arms)
        designs = design_arms(arms, n_columns=N_FIXED + len(segments), priors=priors)
        try:
            line = record.linear
            belief = LinearSettings() if line is None else line.settings()
            settings = record.settings.settings(record.lengths, belief)
            nothing = Sites.empty(*designs.arms.shape[:2])
            memories = restore_memories(
                [record.restore(memory) for memory in record.memories],
                [memory.spread.spread() for memory in record.memories],
                weights=np.array([memory.weight for memory in record.memories]),
                evidence=np.array([memory.evidence for memory in record.memories]),
                linear=nothing if line is None else record.restore(line),
                p_linear=settings.memory.share if line is None else line.weight,
                designs=designs,
                prior=settings.prior,
                settings=settings.memory,
            )
            delays = record.delays()
        except ValueError as fault:
            raise BadInputError(f"not the state of a bandit: {fault}") from fault
        learner = ArmLearner(designs, memories, settings)
        return cls(arms, learner, delays, record.n_trials, segments, priors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContextualBandit) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.n_trials, self.arms))


def _read_priors(record: BanditRecord, arms: Sequence[Arm]) -> dict[Arm, ArmPrior]:
    priors = {}
    for each in record.priors:
        if not 0 <= each.arm < len(arms):
            raise BadInputError(
                f"not the state of a bandit: a belief about variant {each.arm} of {len(arms)}"
            )
        priors[arms[each.arm]] = ArmPrior(each.shift, each.left)
    return priors


def design_arms(
    arms: Sequence[Arm], *, n_columns: int, priors: Mapping[Arm, ArmPrior] | None = None
) -> Designs:
    """How variants share: all columns; offsets by trigger, channel and style; slopes by style.

    A style is what follows the last dot of a variant's name, up to a tilde.
    """
    styles = sorted({style_of(name) for _, name in arms})
    n_offsets = len(_TRIGGERS) + len(_CHANNELS) + len(styles)
    n_shared = n_columns + n_offsets + len(styles) * (n_columns - 1)
    matrices = np.zeros((len(arms), n_columns, n_shared))
    for at, (cell, name) in enumerate(arms):
        style = styles.index(style_of(name))
        matrices[at, :, :n_columns] = np.eye(n_columns)
        matrices[at, 0, n_columns + _TRIGGERS.index(cell.trigger)] = 1.0
        matrices[at, 0, n_columns + len(_TRIGGERS) + _CHANNELS.index(cell.channel)] = 1.0
        matrices[at, 0, n_columns + len(_TRIGGERS) + len(_CHANNELS) + style] = 1.0
        start = n_columns + n_offsets + style * (n_columns - 1)
        matrices[at, 1:, start : start + n_columns - 1] = np.eye(n_columns - 1)
    groups = np.array(
        [0] + [1] * (n_columns - 1) + [2] * n_offsets + [3] * (len(styles) * (n_columns - 1)),
        dtype=np.int64,
    )
    return Designs(matrices, groups, 4, collect_priors(arms, priors or {}))


def style_of(variant: str) -> str:
    """How a variant speaks, from a name such as price_drop.email.warm.

    Stored variants of one angle share a style: what tells them apart follows a tilde.

    >>> style_of("price_drop.email.warm"), style_of("price_drop.email.plain~5f0c9a31d2")
    ('warm', 'plain')
    """
    return variant.rsplit(".", 1)[-1].partition("~")[0]
