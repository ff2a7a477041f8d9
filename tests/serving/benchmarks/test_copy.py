"""The benchmark of the checks of copy, on two texts of its own."""

from pathlib import Path

import pytest

from features.errors import BadInputError
from serving.benchmarks.copy import bench_copy, find_labelled_folder

_CASES = """
- {id: a, half: tuned, kind: draft, trigger: churn_risk, channel: sms, language: ru, label: good,
   body: "{greeting}как вам у нас?"}
- {id: b, half: blind, kind: text, trigger: price_drop, channel: sms, language: ru, label: bad,
   code: money, facts: [Чайник, "990 ₸"], body: "«Чайник» теперь стоит 900 ₸."}
- {id: c, half: blind, kind: draft, trigger: churn_risk, channel: sms, language: ru, label: bad,
   code: promise, body: "{greeting}ответим и подарим скидку."}
"""


def test_bench_copy_counts_both_halves_beside_a_naive_guard(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(_CASES, encoding="utf-8")
    rows = {(row.case, row.metric): row for row in bench_copy(tmp_path)}
    caught = rows["guard", "caught_share"]
    assert (caught.ours, caught.n, caught.reference) == (1.0, 2, 0.5)
    assert caught.low == pytest.approx(0.158, abs=0.001)  # Clopper-Pearson of 2 of 2
    assert rows["guard", "good_refused_share"].ours == 0.0
    assert rows["guard_blind", "named_share"].ours == 1.0
    assert ("guard_tuned", "caught_share") not in rows
    assert rows["render", "median_ms"].n == 12 * 5 * 2 * 3 * 2
    assert rows["render", "median_ms"].ours > 0
    assert {"draft_median_ms", "text_median_us"} <= {metric for _, metric in rows}


def test_bench_copy_says_what_is_wrong_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"expected \*\.yaml files"):
        bench_copy(tmp_path / "none")


def test_the_labelled_texts_of_the_checkout_are_found() -> None:
    assert (find_labelled_folder() / "README.md").is_file()
