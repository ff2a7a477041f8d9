"""Effects of every customer with every treatment are those of the rows one by one."""

import numpy as np
import pytest

from training.registry.servable.uplift import Member, Pairs, ReachEffect


@pytest.mark.parametrize("group", [0, 1, 5])  # the last was never seen
def test_member_says_the_same_of_pairs_as_of_rows(group: int) -> None:
    rng = np.random.default_rng(1)
    member = Member(
        (0.25, 0.75),
        (
            ReachEffect((0.5, -0.2), (1.0, 0.5, 0.1)),
            ReachEffect((0.1, 0.3), (0.2, 0.4, 0.9)),
        ),
    )
    pairs = Pairs(rng.normal(size=(4, 2)), group, rng.random((4, 3)))

    one_by_one = member.predict(pairs.matrix).reshape(3, 4).T

    np.testing.assert_allclose(member.predict_pairs(pairs), one_by_one)
    assert len(np.unique(one_by_one)) == 12
