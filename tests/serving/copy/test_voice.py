"""Files of a company's own: its voice, and what may be promised."""

from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.copy.settings import CopySettings
from serving.copy.voice import read_brand, read_offers

OFFER = """
  - offer_id: spring
    kind: percent_off
    words: {en: "10% off"}
    approved_by: Dana
    valid_until: """


@pytest.mark.parametrize("day", ["2026-12-31", '"2026-12-31"'])
def test_last_day_may_stand_without_quotes(tmp_path: Path, day: str) -> None:
    path = tmp_path / "offers.yaml"
    path.write_text(f"offers:{OFFER}{day}\n")
    (offer,) = read_offers(path)
    assert offer.valid_until == "2026-12-31"


@pytest.mark.parametrize("day", ["2026-12-31 10:00:00", "soon", "20261231", "12"])
def test_last_day_of_another_form_is_refused(tmp_path: Path, day: str) -> None:
    path = tmp_path / "offers.yaml"
    path.write_text(f"offers:{OFFER}{day}\n")
    with pytest.raises(ConfigurationError, match="valid_until"):
        read_offers(path)


def test_a_forbidden_phrase_holds_a_word(tmp_path: Path) -> None:
    path = tmp_path / "voice.yaml"
    path.write_text('forbidden: ["100%"]\n')
    assert read_brand(path, settings=CopySettings()).forbidden == ("100%",)
    path.write_text('forbidden: ["%"]\n')
    with pytest.raises(ConfigurationError, match="signs alone are not looked for"):
        read_brand(path, settings=CopySettings())


def test_an_offer_named_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "offers.yaml"
    path.write_text(f"offers:{OFFER}2026-12-31{OFFER}2026-12-31\n")
    with pytest.raises(ConfigurationError, match="spring twice, expected once"):
        read_offers(path)
