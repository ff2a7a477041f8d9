from pathlib import Path

from features.contracts import CONTRACTS
from features.tables_page import describe_contracts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


def test_describe_contracts_is_the_page_in_docs() -> None:
    assert PAGE.read_text(encoding="utf-8") == describe_contracts()


def test_describe_contracts_names_every_column() -> None:
    page = describe_contracts()
    for contract in CONTRACTS.values():
        section = page.split(f"## {contract.name}\n")[1].split("\n## ")[0]
        for column in contract.columns:
            assert f"| `{column.name}`" in section
