from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Role, Usage
from serving.copywriter.settings import ClaudeSettings

MILLION = 1_000_000


def test_prices_know_the_models_of_the_settings() -> None:
    prices, settings = load_prices(), ClaudeSettings()

    for role in Role:
        assert prices.of(settings.model_of(role)).output > 0


def test_cost_adds_every_kind_of_token() -> None:
    prices = load_prices()
    model = "claude-sonnet-5-5"

    assert prices.cost(Usage(input_tokens=MILLION), model=model) == 2.0
    assert prices.cost(Usage(output_tokens=MILLION), model=model) == 10.0
    assert prices.cost(Usage(cache_read_tokens=MILLION), model=model) == 0.1
    assert prices.cost(Usage(cache_write_tokens=MILLION), model=model) == 2.5
    together = Usage(MILLION, MILLION, MILLION, MILLION, cost_usd=99.0)
    assert prices.cost(together, model=model) == pytest.approx(14.6)
    assert prices.cost(together, model=model, in_batch=True) == pytest.approx(7.3)


def test_cost_of_a_long_prompt_is_higher_where_the_table_says_so() -> None:
    prices = load_prices()
    short, long = Usage(input_tokens=100_000), Usage(input_tokens=50_000, cache_read_tokens=50_001)

    assert prices.cost(short, model="claude-haiku-5-5") == pytest.approx(0.01)
    assert prices.cost(long, model="claude-haiku-5-5") == pytest.approx(
        5 * (50_000 * 0.10 + 50_001 * 0.01) / MILLION
    )


def test_prices_of_an_unknown_model_name_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'gpt'.*known: .*claude-haiku-5-5.*PRICES"):
        load_prices().of("gpt")


def test_load_prices_takes_another_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "as_of: 2027-01-01\nsource: contract\nbatch_factor: 0.4\n"
        "models: {ours: {input: 1, output: 2, cache_read: 0, cache_write: 1}}\n",
        encoding="utf-8",
    )

    prices = load_prices(path)

    assert prices.as_of.isoformat() == "2027-01-01"
    usage = Usage(output_tokens=MILLION)
    assert prices.cost(usage, model="ours", in_batch=True) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("as_of: never", r"as_of: .*; source: Field required"),
        ("{", "not YAML"),
        ("", "found nothing"),
        ("as_of: 2026-01-01\nsource: x\nmodels: {a: {input: -1}}", r"models\.a\.input"),
        ("as_of: 2026-01-01\nsource: x\nmodels: {}", "models"),
    ],
)
def test_load_prices_says_what_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=words) as refusal:
        load_prices(path)
    assert str(path) in str(refusal.value)


def test_load_prices_of_another_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_bytes("source: цены".encode("cp1251"))

    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_prices(path)
