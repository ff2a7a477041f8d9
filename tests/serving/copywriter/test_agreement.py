from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.copywriter.agreement import GoldenCell, load_golden, measure_agreement
from serving.copywriter.judge import CriterionScore, JudgedScore, Judgement
from serving.copywriter.reply import Usage, WriterOutcome
from serving.copywriter.rubrics import Criterion
from tests.serving.copywriter.judges import GOLDEN


def judge_by(cell: GoldenCell, scores: list[int]) -> Judgement:
    return Judgement(
        tuple(JudgedScore({Criterion.CLARITY: CriterionScore(score, "")}) for score in scores),
        WriterOutcome.OK,
        "",
        Usage(),
        "m",
        "judge/1",
    )


def fail(cell: GoldenCell) -> Judgement:
    n = len(cell.texts)
    return Judgement((None,) * n, WriterOutcome.REFUSED, "no", Usage(), None, "judge/1")


def test_golden_set_holds_thirty_texts_in_three_languages() -> None:
    cells = load_golden(GOLDEN)
    assert sum(len(cell.texts) for cell in cells) == 30
    assert {cell.language for cell in cells} == {"en", "ru", "kk"}
    first = [next(at for at, text in enumerate(cell.texts) if text.rank == 1) for cell in cells]
    assert set(first) == {0, 1, 2}  # the place in the file tells nothing


def test_judge_of_peoples_mind_agrees_on_all_and_its_opposite_on_nothing() -> None:
    cells = load_golden(GOLDEN)
    same = {cell.name: judge_by(cell, [5 - t.rank for t in cell.texts]) for cell in cells}
    agreement = measure_agreement(cells, same)
    assert agreement.share == 1.0
    assert agreement.low == pytest.approx(0.722, abs=0.001)  # Wilson's, ten of ten
    assert agreement.high == 1.0
    assert (agreement.n_pairs, agreement.n_cells, agreement.n_failed) == (30, 10, 0)
    opposite = {cell.name: judge_by(cell, [t.rank for t in cell.texts]) for cell in cells}
    assert measure_agreement(cells, opposite).share == 0.0


def test_ties_count_half_and_failures_neither_way() -> None:
    cells = load_golden(GOLDEN)
    judged = {cell.name: judge_by(cell, [3, 3, 3]) for cell in cells}
    judged[cells[0].name] = fail(cells[0])
    agreement = measure_agreement(cells, judged)
    assert agreement.share == 0.5
    assert (agreement.n_cells, agreement.n_failed) == (9, 1)
    nothing = measure_agreement(cells, {cell.name: fail(cell) for cell in cells})
    assert nothing.share is None
    assert nothing.n_failed == 10


def test_faults_of_a_golden_file_are_all_listed(tmp_path: Path) -> None:
    path = tmp_path / "golden.yaml"
    with pytest.raises(ConfigurationError, match=r"golden\.yaml"):
        load_golden(path)
    path.write_text(
        "- {name: a, trigger: price_drop, channel: sms, language: en, tone: clear, texts:\n"
        "   [{rank: 1, body: x, why: y}, {rank: 1, body: z, why: y}]}\n"
        "- {name: b, trigger: price_drop, channel: sms, language: en, tone: clear,\n"
        "   facts: {order_id: A},\n"
        "   texts: [{rank: 1, body: x, why: y}, {rank: 2, body: z, why: y}]}\n"
    )
    with pytest.raises(ConfigurationError, match="one rank only") as caught:
        load_golden(path)
    assert "price_drop has" in str(caught.value)
    cell = (
        "- {name: a, trigger: price_drop, channel: sms, language: en, tone: clear, texts:\n"
        "   [{rank: 1, body: x, why: y}, {rank: 2, body: z, why: y}]}\n"
    )
    path.write_text(cell * 2)
    with pytest.raises(ConfigurationError, match="twice"):
        load_golden(path)
