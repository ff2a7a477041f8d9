"""New variants get a capped share of what is sent, until there is evidence about them."""

from dataclasses import dataclass

from serving.policy.cases import Flags, Floats


@dataclass(frozen=True)
class Novices:
    """Variants of which too little is known yet.

    Attributes:
        variant_ids: Their names.
        share: The most that they get together of any one decision.
    """

    variant_ids: frozenset[str] = frozenset()
    share: float = 1.0


NO_NOVICES = Novices()


def cap_newcomers(p: Floats, *, is_new: Flags, share: float) -> Floats:
    """Probabilities in which new variants have at most that share together, (n, V).

    Where they have more, theirs shrink in proportion and those of the others grow in proportion,
    so that rows still sum to 1.

    Args:
        p: Probabilities, (n, V); the floor of the bandit leaves some to every variant.
        is_new: Which variants are new, (V,); where all are, nothing is capped.
        share: The most that new ones get together, in each row.
    """
    if not is_new.any() or is_new.all():
        return p
    of_new = p[:, is_new].sum(axis=1, keepdims=True)
    is_over = (of_new > share)[:, 0]
    capped = p.copy()
    new, others = p[is_over][:, is_new], p[is_over][:, ~is_new]
    total = others.sum(axis=1, keepdims=True)
    # All on new ones, to the last bit: the others share alike what is taken from them.
    others = others + (total <= 0.0)
    total = others.sum(axis=1, keepdims=True)
    rows = is_over.nonzero()[0][:, None]
    capped[rows, is_new.nonzero()[0]] = new * (share / of_new[is_over])
    capped[rows, (~is_new).nonzero()[0]] = others * ((1.0 - share) / total)
    return capped
