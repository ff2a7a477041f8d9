"""From records to columns: read one after the other, so that a log of millions fits in memory.

Actions are kept as numbers at once; of a record nothing stays but what estimates are made of.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.errors import BadInputError
from features.vocabulary import Arm, Priority
from serving.evaluate.columns import Actions, DecisionLog, LeftOut
from serving.policy.cases import NEVER_US, Ints, to_us
from serving.records import Decision
from training.ope.weighted import Names

_UNKNOWN: Final = -1
_MAY_BE_OFF: Final = 1e-6
_MOST_FAULTS: Final = 5

_Digest = tuple[str, int, Arm, float]


def collect_decisions(
    decisions: Iterable[Decision], *, decided_before_us: int = NEVER_US
) -> DecisionLog:
    """Decisions before a moment as columns; a decision that comes twice counts once.

    Raises:
        BadInputError: Records whose action, words or probabilities cannot be, or that differ under
            one identity; it names the first five.
    """
    collected = _Collected()
    for record in decisions:
        if to_us(record.decided_at) < decided_before_us:
            collected.add(record)
        else:
            collected.n_open += 1
    if collected.faults:
        n, shown = collected.n_faults, "; ".join(collected.faults)
        more = f"; and {n - len(collected.faults)} more" if n > len(collected.faults) else ""
        raise BadInputError(f"log: {n} records cannot be judged: {shown}{more}")
    return collected.finish()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of one record beside its actions; positions are among the record's own."""

    decision_id: str
    customer_id: str
    trigger: str
    arm: str
    version: str
    decided_at_us: int
    first: int
    n_actions: int
    taken: int
    rules_taken: int
    p_words: float
    n_words: int
    is_likeliest: bool
    cost_cents: float
    unsure_cents: float
    is_priced: bool
    message_ids: tuple[str, ...]


@dataclass
class _Collected:
    """What was read so far.

    Attributes:
        kept: Of each record with a choice.
        digests: Of every record, by its identity.
        arms: In which each customer was, by their positions in `Arm`.
        kinds: Position of each kind of action.
        kind, send_at_us, p_logged, value_cents: Of all actions, record after record.
        faults: What is wrong, the first few.
        n_faults: How many records are.
        n_open: Records that came too late to be read.
    """

    kept: list[_Kept] = field(default_factory=list)
    digests: "dict[str, _Digest]" = field(default_factory=dict)
    arms: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    kind: "array[int]" = field(default_factory=lambda: array("h"))
    send_at_us: "array[int]" = field(default_factory=lambda: array("q"))
    p_logged: "array[float]" = field(default_factory=lambda: array("d"))
    value_cents: "array[float]" = field(default_factory=lambda: array("d"))
    faults: list[str] = field(default_factory=list)
    n_faults: int = 0
    n_open: int = 0

    def add(self, record: Decision) -> None:
        """Take in a record, unless it was taken in before."""
        digest = _digest(record)
        before = self.digests.setdefault(record.decision_id, digest)
        if before is not digest:
            if before != digest:
                self._refuse(record, "there is another record of this identity")
            return
        if record.priority is not Priority.CRITICAL:  # nobody is held out from those
            mark = 1 << _POSITION[record.arm]
            self.arms[record.customer_id] = self.arms.get(record.customer_id, 0) | mark
        if len(record.allowed) > 1:
            fault = _find_fault(record)
            if fault is None:
                self._keep(record)
            else:
                self._refuse(record, fault)

    def _refuse(self, record: Decision, fault: str) -> None:
        self.n_faults += 1
        if self.n_faults <= _MOST_FAULTS:
            self.faults.append(f"decision {record.decision_id}: {fault}")

    def _keep(self, record: Decision) -> None:
        first = len(self.kind)
        for action in record.allowed:
            kind = "+".join(action.channels)
            self.kind.append(self.kinds.setdefault(kind, len(self.kinds)))
            self.send_at_us.append(NEVER_US if action.send_at is None else to_us(action.send_at))
            self.p_logged.append(action.probability)
            value = action.value_cents
            self.value_cents.append(np.nan if value is None else value)
        likeliest = max(record.variants, key=lambda name: record.variants[name], default=None)
        kept = _Kept(
            decision_id=record.decision_id,
            customer_id=record.customer_id,
            trigger=record.trigger.value,
            arm=record.arm.value,
            version=record.policy_version,
            decided_at_us=to_us(record.decided_at),
            first=first,
            n_actions=len(record.allowed),
            taken=_find_taken(record),
            rules_taken=_UNKNOWN if record.rules_choice is None else record.rules_choice,
            p_words=_p_words(record),
            n_words=max(sum(p > 0 for p in record.variants.values()), 1),
            is_likeliest=likeliest is None or record.variant == likeliest,
            cost_cents=sum(message.cost_cents for message in record.messages),
            unsure_cents=np.nan if record.unsure_cents is None else record.unsure_cents,
            is_priced=any(record.prices.values()),
            message_ids=tuple(message.message_id for message in record.messages),
        )
        self.kept.append(kept)

    def finish(self) -> DecisionLog:
        """The log; what was read is gone then."""
        moved = {who for who, marks in self.arms.items() if marks & (marks - 1)}
        kept = [one for one in self.kept if one.customer_id not in moved]
        kept.sort(key=lambda one: (one.decided_at_us, one.decision_id))
        left_out = LeftOut(
            n_without_choice=len(self.digests) - len(self.kept),
            n_open=self.n_open,
            n_moved=len(self.kept) - len(kept),
        )
        for done in (self.kept, self.digests, self.arms):
            done.clear()
        counts = _integers([one.n_actions for one in kept])
        starts = np.cumsum(counts) - counts
        rules = _integers([one.rules_taken for one in kept])
        return DecisionLog(
            decision_ids=_names([one.decision_id for one in kept]),
            customers=_names([one.customer_id for one in kept]),
            triggers=_names([one.trigger for one in kept]),
            arms=_names([one.arm for one in kept]),
            versions=_names([one.version for one in kept]),
            decided_at_us=_integers([one.decided_at_us for one in kept]),
            taken=starts + _integers([one.taken for one in kept]),
            rules_taken=np.where(rules == _UNKNOWN, _UNKNOWN, starts + rules),
            p_words=np.array([one.p_words for one in kept], dtype=np.float64),
            n_words=_integers([one.n_words for one in kept]),
            is_likeliest=np.array([one.is_likeliest for one in kept], dtype=bool),
            cost_cents=np.array([one.cost_cents for one in kept], dtype=np.float64),
            unsure_cents=np.array([one.unsure_cents for one in kept], dtype=np.float64),
            is_priced=np.array([one.is_priced for one in kept], dtype=bool),
            messages={name: row for row, one in enumerate(kept) for name in one.message_ids},
            actions=self._actions(_integers([one.first for one in kept]), starts, counts),
            left_out=left_out,
        )

    def _actions(self, first: Ints, starts: Ints, counts: Ints) -> Actions:
        """Actions in the order of their decisions."""
        row = np.repeat(np.arange(len(counts)), counts)
        at = np.arange(len(row)) + (first - starts)[row]
        return Actions(
            row=row,
            kinds=tuple(self.kinds),
            kind=np.asarray(self.kind, dtype=np.int64)[at],
            send_at_us=np.asarray(self.send_at_us, dtype=np.int64)[at],
            p_logged=np.asarray(self.p_logged, dtype=np.float64)[at],
            value_cents=np.asarray(self.value_cents, dtype=np.float64)[at],
        )


_POSITION = {arm: position for position, arm in enumerate(Arm)}


def _digest(record: Decision) -> _Digest:
    """What two records of one decision have in common."""
    return record.customer_id, to_us(record.decided_at), record.arm, record.propensity


def _find_fault(record: Decision) -> str | None:
    """What is wrong with the probabilities of a record."""
    p = [action.probability for action in record.allowed]
    if not all(0 <= one <= 1 for one in p):  # nor is what is no number
        return "a probability of its allowed actions is not between 0 and 1"
    if abs(sum(p) - 1) > _MAY_BE_OFF:
        return f"the probabilities of the allowed actions add up to {sum(p)}, not to 1"
    taken = _find_taken(record)
    if taken < 0:
        done = "+".join(record.channels) or "nothing"
        return f"what was done ({done}) is not among the allowed actions with a probability above 0"
    if not _p_words(record) > 0:
        return f"its words, {record.variant}, are not among the variants with a probability above 0"
    if not abs(p[taken] * _p_words(record) - record.propensity) <= _MAY_BE_OFF:
        return (
            f"its propensity is {record.propensity}, action and words have "
            f"{p[taken] * _p_words(record)}"
        )
    if record.rules_choice is not None and not 0 <= record.rules_choice < len(p):
        return f"rules_choice is {record.rules_choice} of {len(p)} allowed actions"
    return None


def _find_taken(record: Decision) -> int:
    """Position in `allowed` of what was done; -1 where it could not have been done."""
    for position, action in enumerate(record.allowed):
        is_taken = action.channels == record.channels and action.send_at == record.send_at
        if is_taken and action.probability > 0:
            return position
    return _UNKNOWN


def _p_words(record: Decision) -> float:
    """Probability of the words, given the action; 1 where there was no choice of words."""
    if record.variant is None or not record.variants:
        return 1.0
    return record.variants.get(record.variant, 0.0)


def _integers(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _names(values: list[str]) -> Names:
    names = np.empty(len(values), dtype=object)
    names[:] = values
    return names
