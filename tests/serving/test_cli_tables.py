"""Commands about tables of others: check and import with a mapping."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError
from features.sources import read_tables
from serving.cli.main import build_app

MAPPING = """
zone: Asia/Almaty
tables:
  customers:
    from: users
    columns:
      customer_id: id
      signed_up_at: created
      language: {value: kk}
      timezone: {value: Asia/Almaty}
      consent_email: {value: true}
      consent_sms: {value: false}
      consent_push: {value: false}
      consent_in_app: {value: false}
      consent_whatsapp: {value: false}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(arguments[:1]), list(arguments), catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "users.csv").write_text("id,created\n1,2024-04-01 10:00:00\n2,2024-04-02 10:00:00\n")
    (folder / "usage.csv").write_text("customer_id,at,used\n3,2024-04-03T10:00:00Z,5\n")
    (tmp_path / "shop.yaml").write_text(MAPPING)
    return folder


def test_check_names_what_is_wrong_through_a_mapping(shop: Path) -> None:
    mapping = str(shop.parent / "shop.yaml")
    status, answer = run("check", "--data", str(shop), "--mapping", mapping, "--json")
    assert status == 1
    (violation,) = json.loads(answer)["violations"]
    assert (violation["table"], violation["rule"]) == ("usage", "unknown_reference")
    assert violation["hint"] == ""


def test_import_tables_writes_what_a_mapping_reads(shop: Path) -> None:
    (shop / "usage.csv").unlink()
    out = shop.parent / "out"
    status, answer = run(
        "import", "tables", "--from", str(shop), "--mapping", str(shop.parent / "shop.yaml"),
        "--out", str(out), "--json",
    )  # fmt: skip
    assert (status, json.loads(answer)["rows"]) == (0, {"customers": 2})
    signed_up = read_tables(out)["customers"]["signed_up_at"]
    assert signed_up[0].isoformat() == "2024-04-01T05:00:00+00:00"


def test_import_needs_a_place_and_takes_a_mapping_for_tables_only(shop: Path) -> None:
    with pytest.raises(BadInputError, match="say where they are with --from"):
        run("import", "tables", "--out", str(shop.parent / "out"))
    with pytest.raises(BadInputError, match="--mapping is for `import tables`"):
        run("import", "telco", "--out", "x", "--from", "y", "--mapping", "z")
