"""What can be known of wordings, in our world."""

from serving.benchmarks.wordings_at_stake import bench_wordings_at_stake


def test_shares_of_what_is_at_stake_lie_between_chance_and_all_of_it() -> None:
    rows = bench_wordings_at_stake(seed=1, n_customers=800, history_days=60)

    shares = {row.metric: row.ours for row in rows}
    assert set(shares) == {
        f"{kind}_{way}"
        for kind in ("marketing", "service")
        for way in ("bandit", "best_guess", "told_the_spread")
    }
    assert rows[0].n > 2_000
    assert all(-0.5 < share < 1.0 for share in shares.values())
    assert shares["service_told_the_spread"] > 0.0
