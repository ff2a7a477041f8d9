import pytest

from features.errors import ConfigurationError
from serving.copywriter.reply import Role
from serving.copywriter.settings import ClaudeSettings
from serving.settings import Settings, read_settings

SECRET = "sk-ant-secret-of-the-house"


def test_settings_come_from_variables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_JUDGE_MODEL", "claude-opus-5-5")
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_MAX_USD", "3.5")
    monkeypatch.setenv("OPPORTUNE_API_KEYS_FILE", "/somewhere")  # no key of somebody `file`

    settings = read_settings()

    assert settings.anthropic.model_of(Role.JUDGE) == "claude-opus-5-5"
    assert settings.anthropic.max_usd == 3.5
    assert settings.anthropic.has_key
    assert settings.api_keys == {}
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


def test_settings_without_a_key_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)  # the SDK's own variable is nobody's business
    assert not read_settings().anthropic.has_key

    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_API_KEY", "")
    assert not read_settings().anthropic.has_key


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAX_USD", "much", "OPPORTUNE_ANTHROPIC_MAX_USD: .*number"),
        ("MAX_USD", "inf", "OPPORTUNE_ANTHROPIC_MAX_USD: .*finite"),
        ("DEADLINE_SECONDS", "inf", "OPPORTUNE_ANTHROPIC_DEADLINE_SECONDS: .*less than"),
        ("EFFORT", "huge", "OPPORTUNE_ANTHROPIC_EFFORT: .*'low'"),
        ("BASE_URL", "api.example", "OPPORTUNE_ANTHROPIC_BASE_URL: .*http"),
        ("BASE_URL", "https://", "OPPORTUNE_ANTHROPIC_BASE_URL: .*http"),
        ("PROXY", f"http://{SECRET}@host:many", "OPPORTUNE_ANTHROPIC_PROXY: .*http"),
        ("CA_FILE", "nowhere.pem", "OPPORTUNE_ANTHROPIC_CA_FILE: .*nowhere.pem: no such file"),
        ("API_KEY", "ключ-" + SECRET, "api_key: expected visible ASCII"),
        ("API_KEY", SECRET + "\nX", "api_key: expected visible ASCII"),
    ],
)
def test_settings_that_are_wrong_are_named_and_never_shown(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OPPORTUNE_ANTHROPIC_{name}", value)

    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_settings()
    assert SECRET not in str(refusal.value)


def test_settings_survive_the_way_to_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        anthropic=ClaudeSettings.model_validate(
            {"api_key": SECRET, "proxy": "http://u:p@proxy:1", "writer_model": "m", "max_usd": 0.5}
        )
    )
    for name, value in given.to_environment().items():
        monkeypatch.setenv(name, value)

    found = read_settings().anthropic

    assert found == given.anthropic
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == SECRET
