"""What is served of the stored variants: approved, still true, and compiled once per process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from features.errors import ConflictError
from serving.copy.brief import Brand, Offer
from serving.copy.checks import find_size_faults
from serving.copy.drafted import compile_draft
from serving.copy.library import Library
from serving.copy.stored import Source, StoredVariant
from serving.copy.variants import Variant
from serving.policy.newcomers import Novices
from serving.policy.settings import PolicySettings
from serving.store.variants import VariantShelf
from training.bandit.beliefs import ArmPrior
from training.bandit.policy import Arm, VariantPolicy
from training.bandit.rewards import Cell

_BY = "opportune"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ServedWords:
    """All that may be said at one version of the shelf.

    Attributes:
        library: What ships and what was approved.
        beliefs: What is believed of approved variants before their first trial.
        made_at: When each approved variant was made.
        version: Of the shelf.
    """

    library: Library
    beliefs: Mapping[Arm, ArmPrior] = field(default_factory=dict)
    made_at: Mapping[str, datetime] = field(default_factory=dict)
    version: int = 0

    def believe(self, bandit: VariantPolicy) -> VariantPolicy:
        """The bandit with these beliefs."""
        return bandit.believing(self.beliefs) if self.beliefs else bandit


@dataclass(frozen=True)
class _Arm:
    """An approved variant, ready to be filled; faults where it cannot be."""

    stored: StoredVariant
    variant: Variant
    faults: tuple[str, ...]

    @classmethod
    def compile(cls, stored: StoredVariant, shipped: Library, *, brand: Brand) -> Self:
        """Compile and try it in the name of today's sender."""
        variant = compile_draft(
            stored.draft,
            variant_id=stored.variant_id,
            library=shipped,
            offer=stored.offer,
            source="claude" if stored.source is Source.CLAUDE else "template",
        )
        faults = find_size_faults(variant, max_segments=stored.brief.max_segments, brand=brand.name)
        return cls(stored, variant, tuple(faults))

    def find_void(
        self, *, brand: Brand, offers: Mapping[str, Offer], today: datetime
    ) -> str | None:
        """Why its approval does not hold any more; None where it does."""
        drafted_for, offer = self.stored.brief.brand, self.stored.offer
        if self.faults:
            return self.faults[0]
        if drafted_for.version != brand.version:
            return f"drafted for version {drafted_for.version} of the voice, now {brand.version}"
        if offer is None:
            return None
        current = offers.get(offer.offer_id)
        if current != offer:
            now = "there is none" if current is None else f"it is version {current.version}"
            if current is not None and current.version == offer.version:
                now = "that says something else"
            return f"promises offer {offer.offer_id}, version {offer.version}; now {now}"
        if offer.has_ended(today.astimezone(UTC).date()):
            return f"promises offer {offer.offer_id}, which ended on {offer.valid_until}"
        return None

    @property
    def belief(self) -> tuple[Arm, ArmPrior] | None:
        """What is believed of it beforehand."""
        stored = self.stored
        if stored.prior_shift is None:
            return None
        cell = Cell(stored.draft.trigger, stored.draft.channel)
        prior = ArmPrior(
            stored.prior_shift, 1.0 if stored.prior_left is None else stored.prior_left
        )
        return (cell, stored.variant_id), prior


@dataclass
class WordKeeper:
    """Keeps the served words of a process up to date.

    Attributes:
        shelf: The stored variants.
        shipped: What ships.
        brand: Today's; drafts made for another version of its voice are void.
        offers: Today's; drafts that promise another one are void.
        clock: Now.
        takes_callers_time: Messages may bear moments before the variants' own making.
    """

    shelf: VariantShelf
    shipped: Library
    brand: Brand
    offers: tuple[Offer, ...]
    clock: Callable[[], datetime]
    takes_callers_time: bool = False
    _words: ServedWords | None = field(default=None, repr=False)
    _arms: dict[str, _Arm] = field(default_factory=dict, repr=False)
    _known: set[str] = field(default_factory=set, repr=False)

    def version(self) -> int:
        """What is served changes with it; one small read."""
        return self.shelf.version()

    def words(self) -> ServedWords:
        """What may be said now; read anew when it has changed.

        What was approved and does not hold any more is retired on the way, with the reason.
        """
        version = self.shelf.version()
        if self._words is None or self._words.version != version:
            self._words = self._load(version)
        return self._words

    def find_novices(
        self, words: ServedWords, *, policy: PolicySettings, learned_until: datetime
    ) -> Novices:
        """Approved variants that too few messages have been in whose chance is over.

        Args:
            words: What is served.
            policy: How many are enough, and how long a chance lasts.
            learned_until: Moment as of which the bandit has learned.
        """
        doubted = {name: at for name, at in words.made_at.items() if name not in self._known}
        if doubted:
            counts = self.shelf.count_sent(
                doubted,
                since=_EVER if self.takes_callers_time else min(doubted.values()),
                until=learned_until - timedelta(days=policy.reward.window_days),
            )
            enough = policy.variants.new_trials
            self._known |= {name for name in doubted if counts.get(name, 0) >= enough}
        return Novices(frozenset(doubted) - self._known, share=policy.variants.new_share)

    def find_void(self) -> dict[str, str]:
        """Approved variants that do not hold with these settings, and why; none is retired."""
        today, offers = self.clock(), {offer.offer_id: offer for offer in self.offers}
        reasons = {
            arm.stored.variant_id: arm.find_void(brand=self.brand, offers=offers, today=today)
            for arm in self._read_approved()
        }
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _read_approved(self) -> list[_Arm]:
        names = self.shelf.list_served()
        unseen = [name for name in names if name not in self._arms]
        for stored in self.shelf.get_many(unseen):
            self._arms[stored.variant_id] = _Arm.compile(stored, self.shipped, brand=self.brand)
        return [self._arms[name] for name in names]

    def _load(self, version: int) -> ServedWords:
        served = self._read_approved()
        if self._retire_void():
            return self._load(self.shelf.version())
        return ServedWords(
            library=self.shipped.with_stored([arm.variant for arm in served]),
            beliefs=dict(belief for arm in served if (belief := arm.belief) is not None),
            made_at={arm.stored.variant_id: arm.stored.created_at for arm in served},
            version=version,
        )

    def _retire_void(self) -> bool:
        """Retire what does not hold any more; whether there was anything."""
        void = self.find_void()
        for name, reason in void.items():
            try:
                self.shelf.retire(name, by=_BY, at=self.clock(), note=reason)
            except ConflictError:  # another process has done it
                continue
        return bool(void)
