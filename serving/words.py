"""Which words: the variant per channel with its probability, and the filled texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Arm, Channel, Trigger
from serving.assemble import Addressee
from serving.copy.content import Content, Unrenderable
from serving.copy.library import Library, Variant
from serving.copy.render import CopySettings, render
from serving.policy.arms import draw, stable_uniform
from serving.policy.cases import Floats
from serving.policy.choice import certain_choice, uniform_over
from serving.records import BanditContext, PlannedMessage
from training.bandit.context import CONTEXT_NUMBERS, LAYOUT
from training.bandit.policy import VariantContexts, VariantPolicy

_NUMBERS = [ENGAGEMENT_FEATURES.names.index(name) for name in CONTEXT_NUMBERS]


@dataclass(frozen=True)
class Words:
    """The words of one decision.

    Attributes:
        probabilities: Of each variant of the first channel.
        variant: The chosen one.
        messages: One per channel; the other channels carry the first one's style.
        context: What the variant was chosen by.
    """

    probabilities: dict[str, float]
    variant: str
    messages: tuple[PlannedMessage, ...]
    context: BanditContext

    @property
    def p_variant(self) -> float:
        """Probability of the chosen variant."""
        return self.probabilities[self.variant]


@dataclass(frozen=True)
class Copywriter:
    """Chooses variants and fills them."""

    library: Library
    bandit: VariantPolicy
    settings: CopySettings
    economics: Economics

    def write(
        self,
        trigger: Trigger,
        channels: Sequence[Channel],
        *,
        arm: Arm,
        addressee: Addressee,
        decision_id: str,
        engagement: Floats | None = None,
    ) -> Words:
        """The words for these channels; the first channel's variant is drawn.

        Args:
            trigger: Why.
            channels: Where, at least one.
            arm: By which rule the variant is chosen.
            addressee: To whom.
            decision_id: The draw is a stable hash of it.
            engagement: Features of the addressee (`ENGAGEMENT_FEATURES`), NaN where unknown; None
                where nothing is known.
        """
        variants = self.library.variants(trigger, channels[0])
        known = np.full(len(_NUMBERS), np.nan) if engagement is None else engagement[_NUMBERS]
        contexts = VariantContexts(
            trigger,
            channels[0],
            languages=(addressee.language,),
            segments=(addressee.segment,),
            numbers=known[None, :],
        )
        p = self.choose_probabilities(contexts, variants, arm=arm)[0]
        chosen = variants[draw(p, u=stable_uniform("variant", decision_id))]
        messages = []
        for channel in channels:
            variant = _in_style(self.library.variants(trigger, channel), chosen.style)
            content = self._fill(variant, addressee)
            cost_cents = self.economics.send_cost_cents(channel, n_segments=content.n_segments)
            messages.append(
                PlannedMessage(
                    message_id=f"{decision_id}.{channel}",
                    channel=channel,
                    variant=variant.variant_id,
                    content=content,
                    cost_cents=cost_cents,
                )
            )
        probabilities = {v.variant_id: float(q) for v, q in zip(variants, p, strict=True)}
        return Words(probabilities, chosen.variant_id, tuple(messages), _keep(addressee, known))

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

    def _fill(self, variant: Variant, addressee: Addressee) -> Content:
        """The text with the facts, or the variant's own text that needs none."""
        filled: Content | Unrenderable = Unrenderable("no facts")
        for evidence in (addressee.evidence, {}):
            filled = render(
                variant,
                language=addressee.language,
                evidence=evidence,
                first_name=addressee.first_name,
                timezone=addressee.timezone,
                settings=self.settings,
            )
            if isinstance(filled, Content):
                return filled
        # The library's loader proves that the text without facts fits; this is a bug.
        raise AssertionError(f"variant {variant.variant_id} cannot be filled: {filled}")


def _in_style(variants: Sequence[Variant], style: str) -> Variant:
    """The variant in that style, or the first where a channel has none."""
    return next((variant for variant in variants if variant.style == style), variants[0])


def _keep(addressee: Addressee, numbers: Floats) -> BanditContext:
    """The context as it is kept in the record."""
    return BanditContext(
        language=addressee.language,
        segment=addressee.segment,
        numbers=tuple(None if np.isnan(number) else float(number) for number in numbers),
        layout=LAYOUT,
    )
