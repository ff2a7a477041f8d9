"""Which words: the variant per channel with its probability, and the filled texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.economics import Economics
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Arm, Channel, Trigger
from serving.assemble import Addressee
from serving.copy.content import Content, Unrenderable
from serving.copy.library import Library, Variant
from serving.copy.render import CopySettings, fill
from serving.lots.lot import CHANNELS, WordColumns
from serving.policy.arms import ARMS, draw_rows, stable_uniforms
from serving.policy.cases import Floats, Ints
from serving.policy.choice import certain_choice, uniform_over
from training.bandit.context import CONTEXT_NUMBERS
from training.bandit.policy import VariantContexts, VariantPolicy

_NUMBERS = [ENGAGEMENT_FEATURES.names.index(name) for name in CONTEXT_NUMBERS]
_MOST_TEXTS = 16_384  # remembered at once, to bound memory

_TextKey = tuple[str, str, str | None]


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
    """

    trigger: Trigger
    row: Ints
    sets: Sequence[tuple[Channel, ...]]
    arm: Ints
    decision_ids: Sequence[str]
    people: Sequence[Addressee]
    engagement: Floats
    terms: Floats


@dataclass(frozen=True)
class Copywriter:
    """Chooses variants and fills them; texts that name no fact are written once."""

    library: Library
    bandit: VariantPolicy
    settings: CopySettings
    economics: Economics
    _texts: dict[_TextKey, Content] = field(default_factory=dict, compare=False, repr=False)

    def write(self, cases: Addressed) -> WordColumns:
        """The words of the cases; the first channel's variant is drawn, the others follow it."""
        p, taken = self._choose_variants(cases)
        messages = _Messages()
        to_write: dict[tuple[tuple[Channel, ...], int], list[Variant]] = {}
        chosen = zip(cases.sets, taken.tolist(), cases.people, strict=True)
        for at, (channels, variant_at, person) in enumerate(chosen):
            variants = to_write.get((channels, variant_at))
            if variants is None:
                variants = self._find_variants(cases.trigger, channels, variant_at)
                to_write[channels, variant_at] = variants
            for variant in variants:
                messages.add(at, variant, self._fill(variant, person))
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
        style = self.library.variants(trigger, channels[0])[chosen].style
        return [_in_style(self.library.variants(trigger, channel), style) for channel in channels]

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

        The learned arm asks the bandit, the random one is uniform, the rules take the first.
        """
        if arm is Arm.LEARNED:
            names = [variant.variant_id for variant in variants]
            return self.bandit.probabilities(contexts, arms=names)
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
            rows = np.flatnonzero((first == code) & (cases.arm == arm))
            variants = self.library.variants(cases.trigger, CHANNELS[code])
            contexts = VariantContexts(
                cases.trigger,
                CHANNELS[code],
                languages=tuple(cases.people[row].language for row in rows.tolist()),
                segments=tuple(cases.people[row].segment for row in rows.tolist()),
                numbers=numbers[rows],
            )
            found = self.choose_probabilities(contexts, variants, arm=ARMS[arm])
            p[rows, : len(variants)] = found
        u = stable_uniforms("variant", names=cases.decision_ids)
        return p, draw_rows(np.nan_to_num(p), u=u)

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

    def _fill(self, variant: Variant, person: Addressee) -> Content:
        """The text with the facts, or the variant's own text that needs none."""
        if person.evidence:
            return self._render(variant, person)
        key = (variant.variant_id, person.language, person.first_name)
        known = self._texts.get(key)
        if known is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            known = self._texts[key] = self._render(variant, person)
        return known

    def _render(self, variant: Variant, person: Addressee) -> Content:
        filled: Content | Unrenderable = Unrenderable("no facts")
        for evidence in (person.evidence, {}):
            filled = fill(
                variant,
                language=person.language,
                evidence=evidence,
                first_name=person.first_name,
                timezone=person.timezone,
                settings=self.settings,
            )
            if isinstance(filled, Content):
                return filled
        # The library's loader proves that the text without facts fits; this is a bug.
        raise AssertionError(f"variant {variant.variant_id} cannot be filled: {filled}")


class _Messages:
    """Messages in their order, and their texts, each once."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.variants: list[Variant] = []
        self.content: list[int] = []
        self.contents: list[Content] = []
        self._places: dict[int, int] = {}

    def add(self, sent: int, variant: Variant, content: Content) -> None:
        """A message of one of the cases."""
        # The same text is the same object, and the list keeps it alive: its id is its own.
        place = self._places.setdefault(id(content), len(self.contents))
        if place == len(self.contents):
            self.contents.append(content)
        self.sent.append(sent)
        self.variants.append(variant)
        self.content.append(place)


def _in_style(variants: Sequence[Variant], style: str) -> Variant:
    """The variant in that style, or the first where a channel has none."""
    return next((variant for variant in variants if variant.style == style), variants[0])
