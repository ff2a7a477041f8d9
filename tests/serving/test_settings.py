from pathlib import Path

import pytest
import yaml

from features.errors import ConfigurationError
from serving.launch import find_free_port, prepare_launch, require_free_port
from serving.policy.settings import load_policy_settings
from serving.settings import Scope, Settings, read_settings

DEFAULTS = Path(__file__).parents[2] / "serving" / "policy" / "defaults.yaml"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OPPORTUNE_API_KEYS", "{bad", "api_keys"),
        (
            "OPPORTUNE_API_KEYS",
            '{"shop": {"key": "short", "scopes": []}}',
            "OPPORTUNE_API_KEYS shop",
        ),
        ("OPPORTUNE_PORT", "many", "OPPORTUNE_PORT"),
        ("OPPORTUNE_CLOCK", "sundial", "OPPORTUNE_CLOCK"),
    ],
)
def test_read_settings_names_the_variable(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_settings()
    assert "short" not in str(refusal.value).replace("too_short", "").replace("shop", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("name: default", "namex: default"), "name: Field required; .*namex"),
        (("floor: 0.005", "floor: 7"), r"learned.floor: .*, got 7"),
        (("learned: 0.80", "learned: 0.90"), "add up to"),
        (("  inactivity:", "  inactivty:"), "inactivty"),
        (("arms: {", "arms: {{"), "not YAML"),
    ],
)
def test_load_policy_settings_says_what_is_wrong(
    change: tuple[str, str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(DEFAULTS.read_text(encoding="utf-8").replace(*change), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=words) as refusal:
        load_policy_settings(path)
    assert "pydantic.dev" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "found"), [("", "nothing"), ("be kind", "a str"), ("- 1", "a list")]
)
def test_load_policy_settings_says_what_a_file_should_hold(
    text: str, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=rf"expected names with .*, found {found}$"):
        load_policy_settings(path)


def test_load_policy_settings_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.yaml: No such file"):
        load_policy_settings(tmp_path / "policy.yaml")


def test_policy_version_knows_no_order_of_keys(tmp_path: Path) -> None:
    """Nor do two files that differ in nothing else decide differently, ties included."""
    shipped = load_policy_settings()
    plain = shipped.model_dump(mode="json")
    plain["triggers"]["abandoned_cart"]["prior"] = {"sms": 0.1, "push": 0.1, "email": 0.1}
    paths = (tmp_path / "forwards.yaml", tmp_path / "backwards.yaml")
    for path, content in zip(paths, (plain, _turn(plain)), strict=True):
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    forwards, backwards = (load_policy_settings(path) for path in paths)
    assert paths[0].read_text(encoding="utf-8") != paths[1].read_text(encoding="utf-8")
    assert forwards.version == backwards.version != shipped.version
    for trigger, rule in forwards.triggers.items():
        assert rule.ranked == backwards.triggers[trigger].ranked


def _turn(content: object) -> object:
    """The same with the keys of every mapping backwards."""
    if isinstance(content, dict):
        return {key: _turn(content[key]) for key in reversed(content)}
    return content


def test_policy_version_changes_with_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    text = DEFAULTS.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    same = load_policy_settings(path)
    path.write_text(text.replace("floor: 0.005", "floor: 0.006"), encoding="utf-8")

    assert same.version == load_policy_settings().version
    assert load_policy_settings(path).version != same.version


def test_prepare_launch_makes_a_key_only_where_none_is_configured(tmp_path: Path) -> None:
    launch = prepare_launch(Settings(home=tmp_path), environment={"PATH": "/bin"})
    again = prepare_launch(Settings(home=tmp_path), environment={})

    assert launch.development_key is not None
    assert launch.development_key != again.development_key
    assert launch.environment["PATH"] == "/bin"
    assert launch.environment["BENTOML_DO_NOT_TRACK"] == "True"
    assert launch.environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert not any(launch.development_key in part for part in launch.command)


def test_settings_survive_the_way_through_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings.model_validate(
        {
            "home": tmp_path,
            "port": 4000,
            "clock": "caller",
            "brand": "Дом",
            "api_keys": {"shop": {"key": "k" * 16, "scopes": [Scope.DECIDE]}},
        }
    )
    for name, value in given.to_environment().items():
        monkeypatch.setenv(name, value)

    assert read_settings() == given


def test_require_free_port_says_who_is_there_first() -> None:
    import socket

    port = find_free_port("127.0.0.1")
    require_free_port("127.0.0.1", port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with pytest.raises(ConfigurationError, match=f"{port}.*--port"):
            require_free_port("127.0.0.1", port)
