import subprocess
import sys

import numpy as np
import pytest

from features.vocabulary import Arm, Priority
from serving.policy.arms import assign_arm, draw_rows, stable_uniform, stable_uniforms

SHARES = {Arm.LEARNED: 0.8, Arm.RANDOM: 0.05, Arm.RULES: 0.1, Arm.HOLDOUT: 0.05}


def arm_of(customer_id: str, priority: Priority = Priority.MEDIUM) -> Arm:
    return assign_arm(customer_id, experiment="always-on", shares=SHARES, priority=priority)


def test_assign_arm_gives_each_arm_its_share() -> None:
    arms = [arm_of(f"c{n}") for n in range(20_000)]

    for arm, share in SHARES.items():
        expected = share * len(arms)
        deviation = abs(arms.count(arm) - expected) / (expected * (1 - share)) ** 0.5
        assert deviation < 4, arm


def test_assign_arm_is_pinned_across_releases() -> None:
    assert [arm_of(f"c{n}").value for n in range(8, 12)] == [
        "learned",
        "learned",
        "random",
        "learned",
    ]
    assert stable_uniform("arm", "always-on", "c1") == pytest.approx(0.26975729066145965, abs=1e-12)


def test_assign_arm_is_the_same_in_another_process() -> None:
    code = (
        "from features.vocabulary import Arm, Priority\n"
        "from serving.policy.arms import assign_arm\n"
        f"shares = dict(zip(Arm, {[SHARES[a] for a in Arm]}))\n"
        "print(','.join(assign_arm(f'c{n}', experiment='always-on', shares=shares,"
        " priority=Priority.MEDIUM) for n in range(200)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )

    assert done.stdout.strip().split(",") == [arm_of(f"c{n}").value for n in range(200)]


def test_assign_arm_holds_nobody_out_of_critical_messages() -> None:
    customers = [f"c{n}" for n in range(2000)]
    held_out = [c for c in customers if arm_of(c) is Arm.HOLDOUT]

    assert held_out
    assert {arm_of(c, Priority.CRITICAL) for c in held_out} == {Arm.RULES}


def test_stable_uniform_keeps_its_parts_apart() -> None:
    assert stable_uniform("ab", "c") != stable_uniform("a", "bc")


def test_draw_follows_the_probabilities_and_never_takes_the_impossible() -> None:
    p = np.array([0.0, 0.3, 0.0, 0.7, 0.0])
    u = stable_uniforms("t", names=[str(n) for n in range(20_000)])
    drawn = draw_rows(np.tile(p, (len(u), 1)), u=u).tolist()

    assert set(drawn) == {1, 3}
    assert abs(drawn.count(1) / len(drawn) - 0.3) < 0.015


@pytest.mark.parametrize("u", [0.0, 0.999999999999])
def test_draw_stays_inside_at_the_edges(u: float) -> None:
    p = np.array([0.0, 0.1, 0.2, 0.7 - 1e-13, 0.0])

    assert p[draw_rows(p[None, :], u=np.array([u]))[0]] > 0
