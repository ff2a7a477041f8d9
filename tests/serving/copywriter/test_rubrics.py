from pathlib import Path

import pytest
import yaml

from features.errors import ConfigurationError
from serving.copy.brief import Tone
from serving.copywriter.rubrics import Criterion, default_rubrics, load_rubrics


def test_every_tone_asks_for_clarity_and_native_language() -> None:
    rubrics = default_rubrics()
    for tone in Tone:
        assert {Criterion.CLARITY, Criterion.NATIVE, Criterion.NO_PROMISE} <= set(
            rubrics.tones[tone]
        )
    assert Criterion.EMPATHY in rubrics.tones[Tone.APOLOGETIC]


def test_faults_of_a_file_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "rubrics.yaml"
    with pytest.raises(ConfigurationError, match=r"rubrics\.yaml"):
        load_rubrics(path)
    shipped = yaml.safe_load(
        (Path(__file__).parents[3] / "serving/copywriter/rubrics.yaml").read_text("utf-8")
    )
    shipped["tones"]["warm"] = ["clarity", "clarity"]
    del shipped["tones"]["clear"], shipped["criteria"]["native"]
    path.write_text(yaml.safe_dump(shipped), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_rubrics(path)
    for fault in ("native is missing", "clear is missing", "stands twice"):
        assert fault in str(caught.value)
    path.write_text("version: 0\ncriteria: {charm: {}}\ntones: {}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="version") as caught:
        load_rubrics(path)
    assert "charm" in str(caught.value)
