"""The labelled texts: every planted fault is caught and named, hardly a good text is refused."""

from pathlib import Path

import pytest

from features.errors import BadInputError
from features.vocabulary import Channel
from serving.benchmarks.labelled_copy import Half, LabelledCase, read_labelled
from serving.copy.guard.faults import FaultCode
from serving.copy.library import default_library

_FOLDER = Path(__file__).parent / "labelled"
_MOST_REFUSED = 0.02
_MUST_BE_PLANTED = {
    FaultCode.NUMBER,
    FaultCode.DATE,
    FaultCode.MONEY,
    FaultCode.PERCENT,
    FaultCode.LINK,
    FaultCode.SEGMENTS,
    FaultCode.LANGUAGE,
    FaultCode.SLOT,
    FaultCode.MARKUP,
    FaultCode.UNSUBSCRIBE,
    FaultCode.PROMISE,
    FaultCode.CAUSE,
}


@pytest.fixture(scope="module")
def cases() -> tuple[LabelledCase, ...]:
    return read_labelled(_FOLDER)


@pytest.fixture(params=list(Half))
def half(request: pytest.FixtureRequest, cases: tuple[LabelledCase, ...]) -> list[LabelledCase]:
    chosen = [case for case in cases if case.half is request.param]
    if not chosen:
        pytest.skip(f"no {request.param} half is there yet")
    return chosen


def test_every_planted_fault_is_caught_and_named(half: list[LabelledCase]) -> None:
    library = default_library()
    missed = [
        f"{case.id}: planted {case.code}, found {sorted({fault.code for fault in faults})}"
        for case in half
        if case.label == "bad"
        for faults in [case.check(library)]
        if case.code not in {fault.code for fault in faults}
    ]
    assert not missed, "\n".join(missed)


def test_hardly_a_good_text_is_refused(half: list[LabelledCase]) -> None:
    library = default_library()
    good = [case for case in half if case.label == "good"]
    refused = {case.id: faults for case in good if (faults := case.check(library))}
    lines = [f"{name}: {fault}" for name, faults in refused.items() for fault in faults]
    assert len(refused) / len(good) < _MOST_REFUSED, "\n".join(lines)


def test_labelled_texts_cover_languages_channels_and_faults(
    cases: tuple[LabelledCase, ...],
) -> None:
    tuned = [case for case in cases if case.half is Half.TUNED]
    assert len(tuned) >= 160
    assert {case.language for case in tuned} == {"en", "ru", "kk"}
    assert {case.channel for case in tuned} == set(Channel)
    assert {case.trigger.is_service for case in tuned} == {True, False}
    assert {case.code for case in tuned} >= _MUST_BE_PLANTED


def test_read_labelled_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    line = (
        "{{id: {id}, half: tuned, kind: text, trigger: churn_risk, channel: sms, language: ru, "
        "label: {label}, body: Да}}"
    )
    (tmp_path / "a.yaml").write_text(
        "\n".join(
            [
                "- " + line.format(id="x", label="good"),
                "- " + line.format(id="x", label="good"),
            ]
        )
    )
    (tmp_path / "b.yaml").write_text("- " + line.format(id="y", label="bad"))
    with pytest.raises(BadInputError) as refused:
        read_labelled(tmp_path)
    assert "id 'x' stands twice" in str(refused.value)
    assert "b.yaml" in str(refused.value)
    assert "a bad case names the code of its fault" in str(refused.value)


def test_read_labelled_says_what_it_expected_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"expected \*\.yaml files"):
        read_labelled(tmp_path)
