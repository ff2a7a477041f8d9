"""What a library of variants costs beside a call for every message, at the prices that ship."""

from serving.copy.brief import Brand
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.copywriter.costs import LibraryPlan, Way, estimate_costs
from serving.copywriter.measuring import measure_tokens
from serving.copywriter.prices import load_prices
from serving.copywriter.rules import load_rules
from serving.copywriter.settings import ClaudeSettings
from training.benchmarks.rows import BenchRow

_AT_LEAST = 50.0


def bench_costs() -> list[BenchRow]:
    """A whole library, judged, against a call for each of a million messages of the same model.

    The library is made in batches. A message can't be: it is due before a batch is ready. So the
    calls for messages are live, plain and with the shared prompt cached. Tokens are counted
    roughly on the prompts and texts that ship.
    """
    model, prices, plan = ClaudeSettings().writer_model, load_prices(), LibraryPlan()
    tokens = measure_tokens(
        rules=load_rules(),
        brand=Brand(name=CopySettings().brand),
        offers=(),
        library=default_library(),
        today=prices.as_of,
    )
    estimate = estimate_costs(plan, writer=model, judge=model, prices=prices, tokens=tokens)
    usd = estimate.library.total
    live, cached = estimate.of(Way.LIVE), estimate.of(Way.LIVE_CACHED)
    more = estimate.more_library_usd, estimate.more_per_message_usd

    def row(metric: str, ours: float, reference: float, name: str, unit: str) -> BenchRow:
        return BenchRow("cost", metric, ours, None, None, reference, name, unit, plan.n_cells)

    return [
        row("library_ratio", live.usd / usd, _AT_LEAST, "at least", "times"),
        row("library_ratio_cached", cached.usd / usd, _AT_LEAST, "at least", "times"),
        row("library_usd", usd, live.usd, f"a call for every message, {live.way}", "USD"),
        row("million_more_usd", *more, f"a call for every message, {cached.way}", "USD"),
    ]
