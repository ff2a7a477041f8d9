"""The playbooks as data, and the steps that a case gets of them."""

from pathlib import Path

import pytest
import yaml

from features.errors import ConfigurationError
from features.vocabulary import Factor, Tier
from serving.playbooks.offers import Family
from serving.playbooks.plans import CaseGiven, make_spec
from serving.playbooks.settings import ACTING, default_playbooks, load_playbooks_file
from serving.risk.answer import load_playbooks

_SHIPPED = Path(load_playbooks_file.__globals__["_DEFAULTS"])


def hours_of(
    tier: Tier, factor: Factor | None, *, may_contact: bool = True, acts: bool = True
) -> dict[str, float]:
    """Moments of a case's steps in hours, by name; checks left out."""
    given = CaseGiven(case_id="x", tier=tier, factor=factor, may_contact=may_contact, acts=acts)
    spec = make_spec(given, playbooks=default_playbooks())
    return {step.name: step.after_minutes / 60 for step in spec.steps if step.name != "watch"}


def last_hour(tier: Tier, factor: Factor | None, **more: bool) -> float:
    given = CaseGiven(
        case_id="x", tier=tier, factor=factor, **{"may_contact": True, "acts": True} | more
    )
    spec = make_spec(given, playbooks=default_playbooks())
    watch = spec.steps[-1]
    assert watch.repeat is not None
    steps = max((step.after_minutes for step in spec.steps[:-1]), default=0.0)
    return (steps + watch.repeat.every_minutes * watch.repeat.times) / 60


def test_low_usage_goes_as_designed() -> None:
    hours = hours_of(Tier.HIGH, Factor.LOW_USAGE)

    wanted = {"feature_discovery": 0.0, "usage_coaching_call": 48.0, "webinar": 72.0}
    assert wanted.items() <= hours.items()


def test_support_issues_go_as_designed() -> None:
    for tier in ACTING:
        assert {"escalation": 0.0, "csm_outreach": 24.0}.items() <= hours_of(
            tier, Factor.SUPPORT_ISSUES
        ).items()


def test_critical_acts_within_a_day() -> None:
    hours = hours_of(Tier.CRITICAL, None)

    wanted = {
        "alert_csm", "alert_sales", "alert_leadership", "collect_brief", "executive_call",
        "account_audit", "custom_offer",
    }  # fmt: skip
    assert {name for name, hour in hours.items() if hour <= 24} == wanted


@pytest.mark.parametrize("factor", [*Factor, None])
@pytest.mark.parametrize("tier", ACTING)
def test_every_tier_and_reason_has_steps_in_the_order_of_their_moments(
    tier: Tier, factor: Factor | None
) -> None:
    moments = list(hours_of(tier, factor).values())

    assert moments
    assert moments == sorted(moments)


def test_offer_comes_last_of_its_moment() -> None:
    """It may wait a day for its approval, and nothing of the same moment waits with it."""
    names = list(hours_of(Tier.HIGH, Factor.LOW_USAGE))

    assert names.index("custom_offer") > names.index("webinar")


def test_who_is_not_to_be_disturbed_hears_of_nothing() -> None:
    items = default_playbooks().items
    for tier in ACTING:
        for factor in (*Factor, None):
            kept = hours_of(tier, factor, may_contact=False)
            assert not any(items[name].contacts for name in kept)


def test_everything_that_a_customer_hears_of_says_so() -> None:
    """Calls, messages, invitations, trainings and offers: kinds that reach the customer."""
    reaching = {"call", "training", "invitation", "message"}
    for name, item in default_playbooks().items.items():
        reaches = item.do in ("message", "offer") or getattr(item, "kind", None) in reaching
        assert item.contacts == reaches, name


@pytest.mark.parametrize("tier", ACTING)
def test_holdout_is_watched_for_as_long_as_the_others(tier: Tier) -> None:
    for factor in (*Factor, None):
        assert hours_of(tier, factor, acts=False) == {}
        apart = last_hour(tier, factor, acts=False) - last_hour(tier, factor)
        assert 0 <= apart < 7 * 24


def test_offers_cover_what_the_design_lists() -> None:
    offers = default_playbooks().offers

    for family in Family:
        assert sum(offer.family is family for offer in offers.values()) == 3
    assert offers["discount_20"].cost.find_cents(1_000_000) == 1_200_000


def test_tiers_are_those_that_the_answer_about_churn_names() -> None:
    assert set(load_playbooks()) == {*ACTING, Tier.LOW}


def test_faults_of_a_file_are_named_together(tmp_path: Path) -> None:
    data = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    data["arms"] = {"learned": 1.0, "random": 0.0, "rules": 0.0, "holdout": 0.0}
    data["items"]["executive_call"]["team"] = "nobody"
    data["items"]["watch"] = {"do": "check"}
    data["tiers"]["high"]["steps"][0]["item"] = "dance"
    del data["factors"]["onboarding"]
    place = tmp_path / "playbooks.yaml"
    place.write_text(yaml.safe_dump(data), encoding="utf-8")

    with pytest.raises(ConfigurationError) as fault:
        load_playbooks_file(place)

    for words in (
        "never switch off",
        "team nobody",
        "tiers.high: dance",
        "onboarding missing",
        "items: watch",
    ):
        assert words in str(fault.value)


@pytest.mark.parametrize("subject", ["{customer.name}", "{0}", "{", "{p_churn}"])
def test_subject_of_a_notice_names_only_what_is_known(tmp_path: Path, subject: str) -> None:
    data = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    data["items"]["alert_csm"]["subject"] = subject
    place = tmp_path / "playbooks.yaml"
    place.write_text(yaml.safe_dump(data), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="subject"):
        load_playbooks_file(place)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"undo": None, "no_undo": None}, "one of undo and no_undo"),
        ({"cost": {"mrr_months": -1}}, "mrr_months"),
        ({"prior": {"mean": 2.0, "sd": 0.1}}, "mean"),
        ({"fits": {}}, "fits"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_offer_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    data = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    offer = data["offers"]["discount_20"] | change
    data["offers"]["discount_20"] = {k: v for k, v in offer.items() if v is not None}
    place = tmp_path / "playbooks.yaml"
    place.write_text(yaml.safe_dump(data), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=words):
        load_playbooks_file(place)


def test_do_not_disturb_cannot_be_given_offers_by_data(tmp_path: Path) -> None:
    data = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    data["choice"]["group_scale"]["do_not_disturb"] = 1.0
    place = tmp_path / "playbooks.yaml"
    place.write_text(yaml.safe_dump(data), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="drives away"):
        load_playbooks_file(place)
