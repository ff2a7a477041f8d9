"""Which words: the variant per channel with its probability, and the filled texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.economics import Economics
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Arm, Channel, Trigger
from serving.assemble import Addressee
from serving.copy.filling import Filler
from serving.copy.frames import Filled
from serving.copy.languages import choose_language
from serving.copy.library import Library, Variant
from serving.copy.settings import CopySettings
from serving.lots.lot import CHANNELS, WordColumns
from serving.policy.arms import ARMS, draw_rows, stable_uniforms
from serving.policy.cases import Floats, Ints
from serving.policy.choice import certain_choice, uniform_over
from serving.policy.newcomers import NO_NOVICES, Novices, cap_newcomers
from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.policy import VariantContexts, VariantPolicy

_NUMBERS = [ENGAGEMENT_FEATURES.names.index(name) for name in CONTEXT_NUMBERS]


@dataclass(frozen=True)
class Addressed:
    """Cases of one trigger in which something is sent, m of them.

    Attributes:
        trigger: Why.
        row: Row of each in its lot, (m,), ascending.
        sets: Channels to write for, m times.
        arm: Codes of the arms, (m,).
        decision_ids: The draws are stable hashes of them.
        people: To whom.
        engagement: Features of the addressees (`ENGAGEMENT_FEATURES`), (m, features); NaN where
            unknown.
        terms: Terms of the value of what was chosen, (m, 7).
        send_us: When it is sent, UTC microseconds, (m,).
    """

    trigger: Trigger
    row: Ints
    sets: Sequence[tuple[Channel, ...]]
    arm: Ints
    decision_ids: Sequence[str]
    people: Sequence[Addressee]
    engagement: Floats
    terms: Floats
    send_us: Ints


@dataclass(frozen=True)
class Copywriter:
    """Chooses variants and fills them; texts that name no fact are written once.

    Attributes:
        library: What may be said.
        bandit: What is known of it.
        settings: The sender.
        economics: What messages cost.
        novices: Variants of which too little is known yet.
    """

    library: Library
    bandit: VariantPolicy
    settings: CopySettings
    economics: Economics
    novices: Novices = NO_NOVICES

    @cached_property
    def _filler(self) -> Filler:
        return Filler(self.settings)

    def write(self, cases: Addressed) -> WordColumns:
        """The words of the cases; the first channel's variant is drawn, the others follow it."""
        p, taken = self._choose_variants(cases)
        messages, fill = _Messages(), self._filler.fill
        to_write: dict[tuple[tuple[Channel, ...], int], list[Variant]] = {}
        chosen = zip(cases.sets, taken.tolist(), cases.people, strict=True)
        for at, (channels, variant_at, person) in enumerate(chosen):
            variants = to_write.get((channels, variant_at))
            if variants is None:
                variants = self._find_variants(cases.trigger, channels, variant_at)
                to_write[channels, variant_at] = variants
            for variant in variants:
                filled = fill(
                    variant,
                    language=person.language,
                    evidence=person.evidence,
                    first_name=person.first_name,
                    timezone=person.timezone,
                )
                messages.add(at, variant, filled)
        return WordColumns(
            row=cases.row,
            p_variants=p,
            taken=taken,
            terms=cases.terms,
            languages=[person.language for person in cases.people],
            segments=[person.segment for person in cases.people],
            numbers=cases.engagement[:, _NUMBERS],
            sent=np.array(messages.sent, dtype=np.int64),
            channel=np.array(
                [CHANNELS.index(variant.channel) for variant in messages.variants], dtype=np.int64
            ),
            variants=[variant.variant_id for variant in messages.variants],
            content=np.array(messages.content, dtype=np.int64),
            cost_cents=self._find_costs(messages),
            contents=messages.contents,
        )

    def _find_variants(
        self, trigger: Trigger, channels: tuple[Channel, ...], chosen: int
    ) -> list[Variant]:
        """What to write on each channel: in the style of the first one's variant."""
        leader = self.library.variants(trigger, channels[0])[chosen]
        followers = channels[1:]
        return [leader, *(_follow(leader, self.library.variants(trigger, c)) for c in followers)]

    def variants_of(
        self, trigger: Trigger, sets: Sequence[tuple[Channel, ...]]
    ) -> dict[Channel, tuple[str, ...]]:
        """Names of the variants to choose from, by the first channel of a set."""
        return {
            channels[0]: tuple(v.variant_id for v in self.library.variants(trigger, channels[0]))
            for channels in sets
        }

    def choose_probabilities(
        self, contexts: VariantContexts, variants: Sequence[Variant], *, arm: Arm
    ) -> Floats:
        """With which probability each case gets each variant, (n, variants).

        The learned arm asks the bandit and caps what new variants get, the random one is uniform,
        the rules take the first: what ships stands before what is stored.
        """
        if arm is Arm.LEARNED:
            names = [variant.variant_id for variant in variants]
            p = self.bandit.probabilities(contexts, arms=names)
            is_new = np.array([name in self.novices.variant_ids for name in names], dtype=bool)
            return cap_newcomers(p, is_new=is_new, share=self.novices.share)
        if arm is Arm.RANDOM:
            return np.tile(uniform_over(len(variants)), (len(contexts), 1))
        first = np.zeros(len(contexts), dtype=np.int64)
        return certain_choice(first, n_actions=len(variants))

    def _choose_variants(self, cases: Addressed) -> tuple[Floats, Ints]:
        """Probabilities of the first channel's variants, (m, V), and the one drawn, (m,)."""
        first = np.array([CHANNELS.index(channels[0]) for channels in cases.sets], dtype=np.int64)
        numbers = cases.engagement[:, _NUMBERS]
        most = max(len(self.library.variants(cases.trigger, channel)) for channel in CHANNELS)
        p = np.full((len(first), most), np.nan)
        for group in np.unique(first * len(ARMS) + cases.arm).tolist():
            code, arm = divmod(group, len(ARMS))
            found = np.flatnonzero((first == code) & (cases.arm == arm))
            variants = self.library.variants(cases.trigger, CHANNELS[code])
            for fitting, rows in self._split_by_fit(variants, found, cases):
                contexts = VariantContexts(
                    cases.trigger,
                    CHANNELS[code],
                    languages=tuple(cases.people[row].language for row in rows.tolist()),
                    segments=tuple(cases.people[row].segment for row in rows.tolist()),
                    numbers=numbers[rows],
                )
                able = [variants[at] for at in fitting.tolist()]
                p[np.ix_(rows, fitting)] = self.choose_probabilities(contexts, able, arm=ARMS[arm])
        u = stable_uniforms("variant", names=cases.decision_ids)
        return p, draw_rows(np.nan_to_num(p), u=u)

    def _split_by_fit(
        self, variants: Sequence[Variant], rows: Ints, cases: Addressed
    ) -> Iterator[tuple[Ints, Ints]]:
        """Rows of cases that may get the same variants, with the positions of these."""
        if all(variant.is_template for variant in variants):
            yield np.arange(len(variants)), rows
            return
        ends = sorted({v.sent_until_us for v in variants if v.sent_until_us is not None})
        n_ended = np.searchsorted(ends, cases.send_us, side="right")
        known: dict[tuple[str, str | None, int], tuple[int, ...]] = {}
        groups: dict[tuple[int, ...], list[int]] = {}
        for row in rows.tolist():
            person = cases.people[row]
            reader = (person.language, person.segment, int(n_ended[row]))
            if reader not in known:
                known[reader] = self._find_fitting(variants, person, frozenset(ends[: reader[2]]))
            groups.setdefault(known[reader], []).append(row)
        for fitting, of_group in groups.items():
            yield np.array(fitting, dtype=np.int64), np.array(of_group, dtype=np.int64)

    def _find_fitting(
        self, variants: Sequence[Variant], person: Addressee, ended: frozenset[int]
    ) -> tuple[int, ...]:
        """Positions of the variants that somebody may get; those of `ended` are over by then."""
        code = choose_language(
            person.language,
            available=self.library.languages,
            fallbacks=self.settings.language_fallbacks,
        )
        return tuple(
            at
            for at, variant in enumerate(variants)
            if variant.fits(language=code, segment=person.segment)
            and variant.sent_until_us not in ended
        )

    def _find_costs(self, messages: "_Messages") -> Floats:
        """What each message costs in cents, (q,)."""
        segments = [content.n_segments for content in messages.contents]
        told = [
            (variant.channel, segments[at])
            for variant, at in zip(messages.variants, messages.content, strict=True)
        ]
        costs = {
            (channel, n): self.economics.send_cost_cents(channel, n_segments=n)
            for channel, n in set(told)
        }
        return np.array([costs[one] for one in told], dtype=np.float64)


class _Messages:
    """Messages in their order, and their texts, each once."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.variants: list[Variant] = []
        self.content: list[int] = []
        self.contents: list[Filled] = []
        self._places: dict[int, int] = {}

    def add(self, sent: int, variant: Variant, content: Filled) -> None:
        """A message of one of the cases."""
        # The same text is the same object, and the list keeps it alive: its id is its own.
        place = self._places.setdefault(id(content), len(self.contents))
        if place == len(self.contents):
            self.contents.append(content)
        self.sent.append(sent)
        self.variants.append(variant)
        self.content.append(place)


def _follow(leader: Variant, variants: Sequence[Variant]) -> Variant:
    """The variant in the leader's style for the same readers, or the first where there is none."""
    return next(
        (
            variant
            for variant in variants
            if variant.style == leader.style
            and variant.segment == leader.segment
            and variant.cells.keys() >= leader.cells.keys()
        ),
        variants[0],
    )
