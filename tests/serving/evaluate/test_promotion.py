"""What runs after the gate has spoken, and the way back."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from features.errors import BadInputError
from serving.evaluate.promotion import keep_answer, read_trail, roll_back_policy
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.settings import Settings
from tests.serving.evaluate.conftest import changed
from training.evaluation.bootstrap import Estimate
from training.gate import Refused, RolledBack
from training.policy_gate import HoldPolicy, PolicyEvidence, PromotePolicy
from training.registry.audit import Audit, EventKind

KNOWN_UNTIL = datetime(2026, 5, 31, tzinfo=UTC)
AUDIT = Audit("ann", datetime(2026, 6, 1, tzinfo=UTC), "autumn")


def promote_in_turn(home: Settings, *policies: PolicySettings) -> None:
    """Promote each of them after the other, from the first one on, which runs already."""
    evidence = PolicyEvidence(100, None, None, Estimate(1.0, 0.5, 1.5))
    for running, new in pairwise(policies):
        answer = PromotePolicy(new.version, running.version, evidence)
        keep_answer(
            answer,
            new,
            running=running,
            file=home.promoted_policy,
            known_until=KNOWN_UNTIL,
            audit=AUDIT,
        )


def test_rollback_goes_back_promotion_by_promotion_to_what_is_shipped(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home = Settings(home=tmp_path)
    first, second = changed(settings, floor=0.03), changed(settings, name="a/b", floor=0.04)
    promote_in_turn(home, settings, first, second)
    back = [roll_back_policy(home.promoted_policy, audit=AUDIT) for _ in range(2)]
    assert back[0] == RolledBack("policy", version=first.version, instead_of=second.version)
    assert back[1] == RolledBack("policy", version=settings.version, instead_of=first.version)
    assert home.policy_file is None
    again = roll_back_policy(home.promoted_policy, audit=AUDIT)
    assert again == Refused("policy", "no promoted policy runs: there is nothing to roll back")
    trail = read_trail(home.promoted_policy)
    assert [event.kind for event in trail[2:]] == [EventKind.ROLLBACK] * 2
    assert trail[2].reasons == ("autumn",)
    assert (trail[2].version, trail[2].before) == (first.version, second.version)


def test_rollback_lets_a_policy_of_ones_own_run_again(
    tmp_path: Path, settings: PolicySettings
) -> None:
    """One that was named, not promoted, is kept when another takes its place."""
    home, own = Settings(home=tmp_path), changed(settings, name="own", floor=0.05)
    promote_in_turn(home, own, changed(settings, floor=0.03))
    assert isinstance(roll_back_policy(home.promoted_policy, audit=AUDIT), RolledBack)
    assert load_policy_settings(home.policy_file) == own


def test_rollback_brings_nothing_back_that_cannot_run(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home, first = Settings(home=tmp_path), changed(settings, floor=0.03)
    second = changed(settings, floor=0.04)
    promote_in_turn(home, settings, first, second)
    home.promoted_policy.with_name(f"{first.version}.yaml").write_text("name: x", encoding="utf-8")
    refused = roll_back_policy(home.promoted_policy, audit=AUDIT)
    assert isinstance(refused, Refused)
    assert f"{first.version} cannot be read any more" in refused.reason
    assert load_policy_settings(home.policy_file) == second
    assert [event.kind for event in read_trail(home.promoted_policy)] == [EventKind.PROMOTE] * 2


@pytest.mark.parametrize("killed", ["after the trail", "before the trail"])
def test_rollback_after_a_crash_comes_out_where_it_should(
    tmp_path: Path, settings: PolicySettings, killed: str
) -> None:
    home, first = Settings(home=tmp_path), changed(settings, floor=0.03)
    second = changed(settings, floor=0.04)
    promote_in_turn(home, settings, first)
    file, trail = home.promoted_policy, home.promoted_policy.with_name("trail.jsonl")
    if killed == "after the trail":  # the second was promoted, but did not come to run
        text = file.read_text(encoding="utf-8")
        promote_in_turn(home, first, second)
        file.write_text(text, encoding="utf-8")
    else:  # the second was taken back, and nobody wrote it down
        promote_in_turn(home, first, second)
        lines = trail.read_text(encoding="utf-8")
        roll_back_policy(file, audit=AUDIT)
        trail.write_text(lines, encoding="utf-8")
    assert load_policy_settings(file) == first
    roll_back_policy(file, audit=AUDIT)
    assert load_policy_settings(file) == first


def test_trail_that_is_torn_is_refused_with_its_line(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home = Settings(home=tmp_path)
    promote_in_turn(home, settings, changed(settings, floor=0.03))
    with home.promoted_policy.with_name("trail.jsonl").open("a", encoding="utf-8") as trail:
        trail.write('{"kind": "prom')
    with pytest.raises(BadInputError, match=r"trail.jsonl, line 2: not an event of the gate"):
        roll_back_policy(home.promoted_policy, audit=AUDIT)


def test_promoted_policy_runs_and_the_trail_says_why(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home = Settings(home=tmp_path)
    assert home.policy_file is None
    new = changed(settings, floor=0.03)
    evidence = PolicyEvidence(100, None, None, Estimate(1.0, 0.5, 1.5))
    held = HoldPolicy(new.version, settings.version, ("no",), evidence)
    keep_answer(
        held,
        new,
        running=settings,
        file=home.promoted_policy,
        known_until=KNOWN_UNTIL,
        audit=AUDIT,
    )
    assert home.policy_file is None
    promoted = PromotePolicy(new.version, settings.version, evidence)
    keep_answer(
        promoted,
        new,
        running=settings,
        file=home.promoted_policy,
        known_until=KNOWN_UNTIL,
        audit=AUDIT,
    )
    assert load_policy_settings(home.policy_file) == new
    assert load_policy_settings(home.policy_file).version == new.version
    events = read_trail(home.promoted_policy)
    assert [event.kind for event in events] == [EventKind.HOLD, EventKind.PROMOTE]
    assert events[1].before == settings.version
    assert [event.known_until for event in events] == [KNOWN_UNTIL] * 2
    assert "+1.000 cents" in events[1].reasons[0]
    named = Settings(home=tmp_path, policy=tmp_path / "mine.yaml")
    assert named.policy_file == tmp_path / "mine.yaml"


def test_promotion_that_is_asked_for_again_after_a_crash_is_told_of_once(
    tmp_path: Path, settings: PolicySettings
) -> None:
    home, first = Settings(home=tmp_path), changed(settings, floor=0.03)
    second = changed(settings, floor=0.04)
    promote_in_turn(home, settings, first)
    file = home.promoted_policy
    text = file.read_text(encoding="utf-8")
    promote_in_turn(home, first, second)
    file.write_text(text, encoding="utf-8")  # killed before it came to run
    promote_in_turn(home, first, second)
    assert load_policy_settings(file) == second
    assert [event.version for event in read_trail(file)] == [first.version, second.version]
    back = [roll_back_policy(file, audit=AUDIT) for _ in range(2)]
    assert back == [
        RolledBack("policy", version=first.version, instead_of=second.version),
        RolledBack("policy", version=settings.version, instead_of=first.version),
    ]
