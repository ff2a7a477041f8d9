"""How far customers whom the model takes for alike lie apart.

The effect of one message on one customer is never seen, but what it is made of comes again and
again: whether a customer opens the messages on a channel, and whether he calls. Counts of one
customer that lie further from what was expected than chance throws them show how much customers
differ beyond what the model knows.
"""

import numpy as np
import numpy.typing as npt

from training.measures import Floats


def measure_spread(
    happened: Floats, *, expected: Floats, units: npt.NDArray[np.object_] | npt.NDArray[np.int64]
) -> float:
    """Standard deviation among units of the factor on their rate, over its mean.

    The moment estimate of a mixture: the squared distance of each unit's count from its
    expectation, less what binomial chance gives, over the expected products of two rows of a unit.
    0 where there is no more than chance, and where no unit has two rows.

    Args:
        happened: 1 where it happened, (n,).
        expected: Its probability, learned from others, (n,).
        units: Whose rows they are, (n,).
    """
    _, position = np.unique(units, return_inverse=True)
    apart = np.bincount(position, happened - expected)
    chance = np.bincount(position, expected * (1.0 - expected))
    mean = np.bincount(position, expected)
    # What two rows of a unit share: of a row with itself chance is all there is.
    total = float((mean**2).sum() - (expected**2).sum())
    return float(np.sqrt(max((apart**2 - chance).sum() / total, 0.0))) if total > 0 else 0.0
