import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.policy.newcomers import cap_newcomers
from serving.policy.settings import PolicySettings, VariantSettings, load_policy_settings


@given(
    weights=st.lists(
        st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda row: sum(row) > 0.01),
        min_size=1,
        max_size=5,
    ),
    new=st.lists(st.booleans(), min_size=4, max_size=4),
    share=st.floats(0.01, 1.0),
)
def test_new_variants_never_get_more_than_their_share(
    weights: list[list[float]], new: list[bool], share: float
) -> None:
    p = np.array(weights)
    p /= p.sum(axis=1, keepdims=True)
    is_new = np.array(new)

    capped = cap_newcomers(p, is_new=is_new, share=share)

    assert np.allclose(capped.sum(axis=1), 1.0)
    assert (capped >= 0).all()
    if is_new.any() and not is_new.all():
        assert (capped[:, is_new].sum(axis=1) <= share + 1e-12).all()
    within = p[:, is_new].sum(axis=1) <= share
    assert np.array_equal(capped[within], p[within])


def test_the_others_share_what_is_taken_in_proportion() -> None:
    p = np.array([[0.3, 0.1, 0.4, 0.2]])
    capped = cap_newcomers(p, is_new=np.array([False, False, True, True]), share=0.1)
    assert capped[0].tolist() == pytest.approx([0.675, 0.225, 0.1 * 4 / 6, 0.1 * 2 / 6])


def test_what_is_new_alone_is_not_capped() -> None:
    p = np.array([[0.4, 0.6]])
    assert cap_newcomers(p, is_new=np.array([True, True]), share=0.1) is p


def test_a_policy_that_says_nothing_new_keeps_the_version_it_had() -> None:
    policy = load_policy_settings()
    said = policy.model_copy(update={"variants": VariantSettings()})
    other = policy.model_copy(update={"variants": VariantSettings(new_share=0.2)})
    without = policy.model_dump(mode="json", exclude={"variants"})

    assert PolicySettings.model_validate(said.model_dump(mode="json")).version == policy.version
    assert PolicySettings.model_validate(without).version == policy.version
    assert PolicySettings.model_validate(other.model_dump(mode="json")).version != policy.version
