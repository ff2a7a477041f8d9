"""A mapping read from its file: everything that is wrong with it at once, by line."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from features.checks.names import did_you_mean
from features.contracts import CONTRACTS, TableContract
from features.errors import ConfigurationError
from features.sources.mapping.model import (
    WORDS_OF_KIND,
    ColumnMapping,
    CurrencyMapping,
    Mapping,
    TableMapping,
)

Place = tuple[str | int, ...]

_BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """Reads only true and false as truths: yes, no, on and off are words that columns hold."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, words) for tag, words in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), ["t", "f"])


@dataclass(frozen=True)
class _Fault:
    place: Place
    reason: str


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping.

    Args:
        path: YAML; `rates` may name a CSV file beside it.

    Raises:
        ConfigurationError: It cannot be read, or is wrong; every fault with its line.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        written = loader.construct_document(node) if node is not None else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    if not isinstance(written, dict):
        raise ConfigurationError(f"{path}: expected `tables:` and what they come from")
    if isinstance(written.get("rates"), str):
        written = written | {"rates": _read_rates(path.with_name(written["rates"]))}
    faults: list[_Fault] = []
    try:
        mapping = Mapping.model_validate(written)
    except ValidationError as error:
        faults += _shape_faults(error)
        mapping = _what_can_be_read(written)
    faults += _meaning_faults(mapping)
    if faults:
        ordered = sorted({_line_of(node, f.place): f for f in faults}.items(), key=lambda x: x[0])
        listed = "\n".join(_describe(node, path, fault) for _, fault in ordered)
        n = len(ordered)
        raise ConfigurationError(f"the mapping is wrong in {n} place{'s' * (n != 1)}:\n{listed}")
    return mapping


def _describe(node: yaml.Node | None, path: Path, fault: _Fault) -> str:
    keys = ".".join(str(part) for part in fault.place)
    return f"  {path}:{_line_of(node, fault.place)}: {keys}: {fault.reason}"


def _line_of(node: yaml.Node | None, place: Place) -> int:
    """The line of the key, counted from 1; of what holds it where it is missing."""
    line = 1
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            return line
        found = next(((k, v) for k, v in node.value if str(k.value) == str(part)), None)
        if found is None:
            return line
        key, node = found
        line = key.start_mark.line + 1
    return line


def _shape_faults(error: ValidationError) -> Iterator[_Fault]:
    for fault in error.errors(include_url=False):
        place = tuple(part for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            words = _words_beside(place)
            hint = did_you_mean(str(place[-1]), words) or f"expected one of {', '.join(words)}"
            yield _Fault(place, f"unknown word; {hint}")
        elif fault["type"] == "model_type":
            yield _Fault(
                place, f"{fault['input']!r}: expected a name, or words such as {{from: name}}"
            )
        else:
            reason = fault["msg"].removeprefix("Value error, ")
            yield _Fault(place, reason[:1].lower() + reason[1:])


def _words_beside(place: Place) -> list[str]:
    models: dict[int, type[BaseModel]] = {1: Mapping, 3: TableMapping, 6: CurrencyMapping}
    model = models.get(len(place), ColumnMapping)
    return [field.alias or name for name, field in model.model_fields.items()]


def _what_can_be_read(written: dict[object, object]) -> Mapping:
    """The sound columns of a broken mapping, so that their faults of meaning are named, too."""
    tables: dict[str, TableMapping] = {}
    listed = written.get("tables")
    for name, table in (listed if isinstance(listed, dict) else {}).items():
        columns: dict[str, ColumnMapping] = {}
        within = table.get("columns") if isinstance(table, dict) else None
        for ours, column in (within if isinstance(within, dict) else {}).items():
            try:
                alone = TableMapping.model_validate({"columns": {str(ours): column}})
            except ValidationError:
                continue
            columns |= alone.columns
        tables[str(name)] = TableMapping(columns=columns)
    # Currencies are judged on the whole only.
    return Mapping(currency="EUR", tables=tables)


def _meaning_faults(mapping: Mapping) -> Iterator[_Fault]:
    for name, table in mapping.tables.items():
        contract = CONTRACTS.get(name)
        if contract is None:
            hint = did_you_mean(name, CONTRACTS) or f"expected one of {', '.join(CONTRACTS)}"
            yield _Fault(("tables", name), f"not a table of ours; {hint}")
            continue
        if table.ended_at is not None and name != "subscriptions":
            yield _Fault(("tables", name, "ended_at"), "only subscriptions end")
        if table.ended_at is not None and table.ended_at.source is None:
            yield _Fault(("tables", name, "ended_at"), "expected `from`, a column of theirs")
        if table.currency is not None and mapping.currency is None:
            yield _Fault(("tables", name, "currency"), _NO_CURRENCY)
        for ours, column in table.columns.items():
            place = ("tables", name, "columns", ours)
            yield from _column_faults(column, contract, place, has_ours=bool(mapping.currency))


_NO_CURRENCY = "say at the top which currency our cents are in, such as `currency: EUR`"


def _column_faults(
    column: ColumnMapping, contract: TableContract, place: Place, *, has_ours: bool
) -> Iterator[_Fault]:
    ours = str(place[-1])
    names = [known.name for known in contract.columns]
    if ours not in names:
        hint = did_you_mean(ours, names) or f"expected one of {', '.join(names)}"
        yield _Fault(place, f"not a column of {contract.name}; {hint}")
        return
    if (column.source is None) == ("value" not in column.model_fields_set):
        yield _Fault(place, "expected either `from`, a column of theirs, or `value`, a constant")
    kind = contract.column(ours).kind
    allowed = WORDS_OF_KIND[kind]
    for word in column.model_fields_set - allowed:
        yield _Fault((*place, word), f"has no meaning for {ours}, which is of kind {kind}")
    if column.unit is not None and column.format is not None:
        yield _Fault((*place, "unit"), "a time is a number of a unit or has a format, not both")
    if column.currency is not None and (column.currency.value is None) == (
        column.currency.source is None
    ):
        yield _Fault((*place, "currency"), "expected a currency, or `{from: a column of theirs}`")
    if column.currency is not None and not has_ours:
        yield _Fault((*place, "currency"), _NO_CURRENCY)


def _read_rates(path: Path) -> dict[str, dict[str, str]]:
    rates: dict[str, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _require_columns(path, reader.fieldnames or ())
            for row in reader:
                rates.setdefault(row["currency"], {})[row["day"]] = row["rate"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: the rates cannot be read: {error}") from error
    return rates


def _require_columns(path: Path, found: Sequence[str]) -> None:
    if not {"currency", "day", "rate"} <= set(found):
        raise ConfigurationError(
            f"{path}: has the columns {', '.join(found) or 'nothing'}; expected currency, day, rate"
        )
