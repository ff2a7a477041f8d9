import copy
import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.contracts import CONTRACTS
from features.errors import BadInputError
from features.tables import Tables
from training.world.protocol import World
from training.world.simulated import SimulatedWorld

MakeMessages = Callable[..., pd.DataFrame]

_DIGEST = """
import hashlib, pandas as pd
from training.world.simulated import SimulatedWorld
world = SimulatedWorld(seed=4, n_customers=80, days=20)
digest = hashlib.sha256()
for name, frame in world.tables(world.start).items():
    digest.update(name.encode() + pd.util.hash_pandas_object(frame).to_numpy().tobytes())
print(digest.hexdigest())
"""


def digest_of(tables: Tables) -> str:
    digest = hashlib.sha256()
    for name, frame in tables.items():
        digest.update(name.encode() + pd.util.hash_pandas_object(frame).to_numpy().tobytes())
    return digest.hexdigest()


def assert_same(left: Mapping[str, pd.DataFrame], right: Mapping[str, pd.DataFrame]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert_frame_equal(left[name], right[name], obj=name)


def test_one_seed_gives_one_history_in_every_process() -> None:
    here = SimulatedWorld(seed=4, n_customers=80, days=20)
    other = SimulatedWorld(seed=5, n_customers=80, days=20)
    fresh = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        env={"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    digest = digest_of(here.tables(here.start))
    assert fresh.stdout.strip() == digest
    assert digest_of(other.tables(other.start)) != digest


def test_advance_is_the_same_however_it_is_cut(
    history: SimulatedWorld, make_messages: MakeMessages
) -> None:
    def live(steps: list[float], *, looks: bool) -> Tables:
        world = copy.deepcopy(history)
        for wave in range(2):
            now = world.now
            world.deliver(
                make_messages(world.conditions(), now=pd.Timestamp(now), hours=60, tag=f"w{wave}-")
            )
            for hours in steps:
                world.advance(now + timedelta(hours=hours))
                if looks:
                    world.tables(world.now)
        world.advance(world.now + timedelta(days=9))
        return world.tables(world.now)

    whole = live([72], looks=False)
    assert len(whole["outcomes"]) > len(history.tables(history.start)["outcomes"]) + 100
    assert_same(whole, live([24, 48, 72], looks=False))
    assert_same(whole, live([5.37, 5.38, 11.1, 29.003, 30, 50.5, 72], looks=True))


def test_what_was_known_at_a_moment_is_still_known_as_it_was_later(world: SimulatedWorld) -> None:
    moment = world.start + timedelta(hours=31.7)
    world.advance(moment)
    then = world.tables(moment)
    world.advance(world.start + timedelta(days=12))
    assert_same(then, world.tables(moment))
    assert_same(then, world.tables(moment))


def test_tables_hold_nothing_from_the_moment_on(world: SimulatedWorld) -> None:
    world.advance(world.start + timedelta(days=2))
    moment = world.start + timedelta(hours=17)
    for name, frame in world.tables(moment).items():
        contract = CONTRACTS[name]
        for column in filter(None, (contract.moment, *contract.revised)):
            assert not (frame[column] >= moment).any(), f"{name}.{column}"


def test_messages_change_nothing_for_others(
    history: SimulatedWorld, make_messages: MakeMessages
) -> None:
    quiet, busy = copy.deepcopy(history), copy.deepcopy(history)
    about = busy.conditions().iloc[::2]
    busy.deliver(make_messages(about, now=pd.Timestamp(busy.now), hours=40, tag="x"))
    end = history.start + timedelta(days=20)
    quiet.advance(end)
    busy.advance(end)
    written = set(about["customer_id"])
    for name, frame in quiet.tables(end).items():
        if "customer_id" not in frame:
            continue
        others = [f[~f["customer_id"].isin(written)] for f in (frame, busy.tables(end)[name])]
        assert_frame_equal(*(f.reset_index(drop=True) for f in others), obj=name)


def test_the_world_fits_the_protocol(history: SimulatedWorld) -> None:
    world: World = history
    assert world.start == history.now
    assert world.start.isoformat() == "2026-03-16T00:00:00+00:00"


def test_tables_refuse_what_lies_ahead(history: SimulatedWorld) -> None:
    with pytest.raises(BadInputError, match="advance it first"):
        history.tables(history.now + timedelta(seconds=1))


def test_advance_to_a_moment_past_changes_nothing(world: SimulatedWorld) -> None:
    world.advance(world.start - timedelta(days=3))
    assert world.now == world.start


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sent_at": pd.Timestamp("2026-03-01", tz="UTC")}, "sent_at.*not at or after 2026-03-16"),
        ({"sent_at": datetime(2026, 4, 1)}, "expected times with a zone"),
        ({"customer_id": "nobody"}, "customer_id.*nobody"),
        ({"channel": "pigeon"}, "channel.*pigeon.*email"),
        ({"trigger": "boredom"}, "trigger.*boredom"),
        ({"arm": "best"}, "arm.*best.*holdout"),
        ({"message_id": "m00000000"}, "new and unique.*m00000000"),
    ],
)
def test_deliver_refuses_what_it_cannot_send(
    world: SimulatedWorld, make_messages: MakeMessages, change: dict[str, object], message: str
) -> None:
    messages = make_messages(
        world.conditions().head(1), now=pd.Timestamp(world.now), hours=5, tag="y"
    )
    with pytest.raises(BadInputError, match=message):
        world.deliver(messages.assign(**change))


def test_deliver_names_missing_columns(world: SimulatedWorld, make_messages: MakeMessages) -> None:
    messages = make_messages(
        world.conditions().head(1), now=pd.Timestamp(world.now), hours=5, tag="y"
    )
    with pytest.raises(BadInputError, match=r"messages.*\['arm', 'propensity'\]"):
        world.deliver(messages.drop(columns=["arm", "propensity"]))


def test_delivered_messages_are_in_the_tables_as_given(
    world: SimulatedWorld, make_messages: MakeMessages
) -> None:
    given = make_messages(
        world.conditions().head(40), now=pd.Timestamp(world.now), hours=30, tag="z"
    )
    given["case_key"] = ["what it was about" if n % 2 else None for n in range(len(given))]
    world.deliver(given)
    world.advance(world.start + timedelta(hours=20))
    shown = world.tables(world.now)["messages"]
    shown = shown[shown["message_id"].str.startswith("z")].set_index("message_id")
    due = given[given["sent_at"] < pd.Timestamp(world.now)].set_index("message_id")
    assert 0 < len(due) < len(given)
    for column in due:
        assert (shown.loc[due.index, column].fillna("-") == due[column].fillna("-")).all(), column


def test_unsubscribing_takes_the_consent_from_then_on(world: SimulatedWorld) -> None:
    tables = world.tables(world.start)
    left = tables["outcomes"].query("outcome == 'unsubscribed'")
    assert len(left) > 3
    left = left.merge(tables["messages"], on="message_id")
    for row in left.itertuples():
        consents = [
            world.tables(moment)["customers"].set_index("customer_id")[f"consent_{row.channel}"]
            for moment in (row.at.to_pydatetime(), row.at.to_pydatetime() + timedelta(seconds=1))
        ]
        assert [bool(consent[row.customer_id]) for consent in consents] == [True, False]


def test_messages_without_consent_bounce(
    world: SimulatedWorld, make_messages: MakeMessages
) -> None:
    customers = world.tables(world.start)["customers"]
    refused = customers[~customers["consent_sms"].fillna(False).astype("bool")]
    about = pd.DataFrame({"customer_id": refused["customer_id"], "trigger": "inactivity"})
    messages = make_messages(about, now=pd.Timestamp(world.now), hours=5, tag="b")
    world.deliver(messages.assign(channel="sms"))
    world.advance(world.start + timedelta(days=10))
    outcomes = world.tables(world.now)["outcomes"]
    outcomes = outcomes[outcomes["message_id"].isin(messages["message_id"])]
    assert len(outcomes) == len(messages)
    assert set(outcomes["outcome"]) == {"bounced"}


def test_who_has_left_is_not_there_any_more(world: SimulatedWorld) -> None:
    end = world.start + timedelta(days=20)
    world.advance(end)
    tables = world.tables(end)
    subscriptions = tables["subscriptions"]
    canceled = subscriptions[subscriptions["status"] == "canceled"]
    left_at = canceled.set_index("customer_id")["valid_from"]
    assert left_at.index.is_unique
    assert len(left_at) > 20
    last = subscriptions.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    assert (last.loc[left_at.index, "status"] == "canceled").all()
    # An order that was under way when the customer left is still finished.
    habits = tables["activity"].query("kind != 'purchase'")
    moment = habits["customer_id"].map(left_at)
    assert not (habits["at"] > moment).any()


@pytest.mark.parametrize("options", [{"n_customers": 0}, {"days": 0}])
def test_a_world_without_customers_or_days_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(BadInputError, match="needs customers and days"):
        SimulatedWorld(seed=0, **options)


def test_a_tiny_world_lives() -> None:
    world = SimulatedWorld(seed=9, n_customers=1, days=1)
    world.advance(world.start + timedelta(days=40))
    assert set(world.tables(world.now)) == set(CONTRACTS)
    nobody = pd.DataFrame(
        {
            "customer_id": pd.Series([], dtype="str"),
            "trigger": pd.Series([], dtype="str"),
            "channel": pd.Series([], dtype="str"),
            "send_at": pd.Series([], dtype="datetime64[us, UTC]"),
            "variant": pd.Series([], dtype="str"),
        }
    )
    assert world.true_value(nobody).shape == (0,)
    assert np.isfinite(world.true_value(nobody)).all()
