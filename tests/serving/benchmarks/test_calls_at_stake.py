"""What no policy can do better than, in our world."""

from features.vocabulary import Channel
from serving.benchmarks.calls_at_stake import Notice, bench_calls_at_stake
from training.benchmarks.rows import BenchRow

LATE = Notice(24, (Channel.EMAIL,))
SOON = Notice(4, tuple(Channel))


def _bench(scenario: str, *notices: Notice) -> list[BenchRow]:
    return bench_calls_at_stake(
        scenario=scenario,
        seed=1,
        n_customers=1500,
        history_days=20,
        n_days=8,
        notices=notices,
    )


def test_more_calls_fall_the_sooner_and_wherever_everybody_is_told() -> None:
    late, soon = _bench("calm", LATE, SOON)

    assert late.metric == "fall_every_24h_on_email"
    assert soon.metric == "fall_every_4h_on_email+sms+push+in_app+whatsapp"
    assert late.n == soon.n > 40
    assert soon.ours > 0.2
    assert soon.ours > late.ours + 0.1


def test_no_calls_fall_where_no_message_achieves_anything() -> None:
    (soon,) = _bench("hostile", SOON)

    assert soon.n > 40
    assert abs(soon.ours) < 0.05
