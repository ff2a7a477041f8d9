from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError, ConfigurationError, TablesRefusedError
from serving.policy.settings import load_policy_settings
from serving.rehearsal.loop import value_sent
from serving.rehearsal.worlds import Foreign, Simulated

SHOP = Path(__file__).with_name("corner_shop.py")


def test_foreign_world_is_built_from_its_path_with_its_seed() -> None:
    source = Foreign.at(f"{SHOP}:CornerShop")
    world = source.make("CornerShop", seed=3)

    assert source.cases == ("CornerShop",)
    customers = world.tables(world.start)["customers"]
    assert customers["customer_id"].str.startswith("s3-").all()
    assert str(customers["signed_up_at"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize("place", ["corner_shop.py", "corner_shop:CornerShop", ".py:", "a.py:b c"])
def test_foreign_world_wants_a_file_and_a_class(place: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected path/to/file\.py:ClassName"):
        Foreign.at(place)


@pytest.mark.parametrize(
    ("file", "name", "why"),
    [
        (SHOP, "Nobody", "has no class Nobody"),
        (SHOP, "NoWorld", "lacks tables, deliver, advance, true_value"),
        (SHOP.with_name("nothing.py"), "CornerShop", "is no Python file"),
    ],
)
def test_foreign_world_says_what_is_missing(file: Path, name: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Foreign(file, name).make(name, seed=0)


def test_foreign_worlds_of_files_with_the_same_name_are_not_mixed_up(tmp_path: Path) -> None:
    other = tmp_path / SHOP.name
    text = SHOP.read_text(encoding="utf-8")
    other.write_text(text.replace('"s{seed}-', '"t{seed}-'), encoding="utf-8")
    for file, letter in ((SHOP, "s"), (other, "t")):
        world = Foreign(file, "CornerShop").make("CornerShop", seed=0)
        ids = world.tables(world.start)["customers"]["customer_id"]
        assert ids.str.startswith(f"{letter}0-").all()

    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(
            ConfigurationError, match=r"broken\.py, line 1: its code .*ZeroDivision"
        ):
            Foreign(broken, "Shop").make("Shop", seed=0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class Shop:\n    pass", r"shop\.py: Shop\(seed=2\) ended with TypeError"),
        (
            "class Shop:\n    def __init__(self, seed):\n        raise KeyError(seed)",
            r"shop\.py, line 3: Shop\(seed=2\) ended with KeyError: 2",
        ),
        (
            "x = 1\ny = (",
            r"shop\.py, line 2: its code ended with SyntaxError: '\(' was never closed",
        ),
        ("import nothing_like_it", r"shop\.py, line 1: its code ended with ModuleNotFoundError"),
    ],
)
def test_foreign_world_that_cannot_be_made_is_named_with_its_line(
    text: str, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=why):
        Foreign(file, "Shop").make("Shop", seed=2)


def test_foreign_world_that_tells_the_future_is_refused() -> None:
    world = Foreign(SHOP, "Crystal").make("Crystal", seed=0)

    with pytest.raises(TablesRefusedError, match="activity"):
        world.tables(world.start)


def test_foreign_world_is_asked_what_a_second_message_adds_if_it_knows() -> None:
    twice = pd.DataFrame({"customer_id": "s0-000", "channel": ["push", "email"]})
    notice = np.zeros(2, dtype=np.int64)
    knows, knows_not, odd = (
        Foreign(SHOP, name).make(name, seed=0) for name in ("Letterbox", "CornerShop", "Oracular")
    )

    assert value_sent(knows, twice, notice=notice).tolist() == [10.0, -1.0]
    assert value_sent(knows_not, twice, notice=notice).tolist() == [10.0, 2.0]
    with pytest.raises(BadInputError, match=r"true_value_of_notices of 2 .* 2 that are not finite"):
        value_sent(odd, twice, notice=notice)


def test_simulated_worlds_are_every_scenario_unless_some_are_asked_for() -> None:
    assert set(Simulated(50, 20).cases) == {"calm", "seasonal_change", "tiny_traffic", "hostile"}
    few = Simulated(60, 20, ("hostile",))
    assert few.cases == ("hostile",)

    one, other = (few.make("hostile", seed=1) for _ in range(2))
    end = one.start + timedelta(days=1)
    for world in (one, other):
        world.advance(end)
    assert one.tables(end)["activity"].equals(other.tables(end)["activity"])


def test_an_sms_is_one_segment_in_our_world_only() -> None:
    policy = load_policy_settings()

    ours = Simulated(50, 20).price(policy)
    assert policy.learned.count_sms_segments("ru") == 2
    assert ours.learned.count_sms_segments("ru") == 1
    assert ours.triggers == policy.triggers
    assert Foreign(SHOP, "CornerShop").price(policy) == policy
