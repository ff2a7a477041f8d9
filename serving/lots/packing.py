"""Lots as bytes for the store: Arrow streams, compressed, that say their own columns and types.

Three streams follow each other: cases, messages, texts. The head stands as JSON in the metadata of
the first. Closed sets are kept by name, so that their order may change.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from serving.copy.frames import Filled, Frame
from serving.lots.arrow import (
    Columns,
    pack_columns,
    pack_matrix,
    read_flags,
    read_floats,
    read_ints,
    read_matrix,
    unpack_columns,
)
from serving.lots.lot import (
    CHANNELS,
    REASONS,
    ActionColumns,
    Codes,
    DecisionLot,
    LotHead,
    WordColumns,
)
from serving.policy.arms import ARMS
from serving.policy.cases import Flags, Floats

_HEAD: Final = b"opportune_lot"
_FRAMES: Final = b"opportune_frames"


def pack_lot(lot: DecisionLot) -> bytes:
    """The lot as bytes."""
    head = {_HEAD: lot.head.model_dump_json().encode()}
    return pack_columns(
        Columns(_list_cases(lot), head),
        Columns(_list_messages(lot.words)),
        _list_texts(lot.words.contents),
    )


def unpack_lot(packed: bytes) -> DecisionLot:
    """What `pack_lot` packed."""
    cases, messages, texts = unpack_columns(packed)
    head = LotHead.model_validate_json(cases.schema.metadata[_HEAD])
    return DecisionLot(
        head=head,
        decision_ids=cases["decision_id"].to_pylist(),
        customer_ids=cases["customer_id"].to_pylist(),
        keys=cases["key"].to_pylist(),
        decided_us=read_ints(cases, "decided_us"),
        features_us=read_ints(cases, "features_us"),
        p_churn=read_floats(cases, "p_churn"),
        arm=_codes(cases["arm"], ARMS),
        reason=_codes(cases["reason"], REASONS),
        is_scored=read_flags(cases, "is_scored"),
        is_open=read_flags(cases, "is_open"),
        lost_to=cases["lost_to"].to_pylist(),
        actions=_unpack_actions(cases, n_sets=len(head.sets)),
        words=_unpack_words(cases, messages, texts),
    )


def _list_cases(lot: DecisionLot) -> dict[str, pa.Array]:
    actions, words = lot.actions, lot.words
    n = len(lot)
    allowed = actions.allowed.reshape(n, -1)
    return {
        "decision_id": pa.array(lot.decision_ids, pa.string()),
        "customer_id": pa.array(lot.customer_ids, pa.string()),
        "key": pa.array(lot.keys, pa.string()),
        "decided_us": pa.array(lot.decided_us),
        "features_us": pa.array(lot.features_us),
        "p_churn": pa.array(lot.p_churn),
        "arm": _names(lot.arm, ARMS),
        "reason": _names(lot.reason, REASONS),
        "is_scored": pa.array(lot.is_scored),
        "is_open": pa.array(lot.is_open),
        "lost_to": pa.array(lot.lost_to, pa.string()),
        "slots_us": pack_matrix(actions.slots_us),
        "allowed": pack_matrix(np.packbits(allowed, axis=1)),
        "p": _pack_allowed(actions.p[:, :-1], allowed),
        "p_nothing": pa.array(actions.p[:, -1]),
        "net_cents": _pack_allowed(actions.net_cents.reshape(n, -1), allowed),
        "unsure_cents": pa.array(actions.unsure_cents),
        "by_rules": pa.array(actions.by_rules),
        "taken": pa.array(actions.taken),
        "is_sent": pa.array(lot.is_sent),
        "p_variants": pack_matrix(_spread(words.p_variants, lot)),
        "variant": pa.array(_spread(words.taken, lot)),
        "terms": pack_matrix(_spread(words.terms, lot)),
        "language": _spread_names(words.languages, lot),
        "segment": _spread_names(words.segments, lot),
        "numbers": pack_matrix(_spread(words.numbers, lot)),
    }


def _unpack_actions(cases: pa.RecordBatch, *, n_sets: int) -> ActionColumns:
    n = cases.num_rows
    slots_us = read_ints(cases, "slots_us")
    n_slots = slots_us.shape[1]
    bits = np.unpackbits(
        np.asarray(read_matrix(cases, "allowed"), dtype=np.uint8), axis=1, count=n_sets * n_slots
    )
    allowed = bits.astype(bool)
    p = np.column_stack([_read_allowed(cases, "p", allowed), read_floats(cases, "p_nothing")])
    return ActionColumns(
        slots_us=slots_us,
        allowed=allowed.reshape(n, n_sets, n_slots),
        p=p,
        net_cents=_read_allowed(cases, "net_cents", allowed).reshape(n, n_sets, n_slots),
        unsure_cents=read_floats(cases, "unsure_cents"),
        by_rules=read_ints(cases, "by_rules"),
        taken=read_ints(cases, "taken"),
    )


def _pack_allowed(values: Floats, allowed: Flags) -> pa.Array:
    """Values of actions, (n, M), as lists of those that are allowed: nobody reads the others."""
    ends = np.concatenate([[0], np.cumsum(allowed.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values[allowed]))


def _read_allowed(cases: pa.RecordBatch, name: str, allowed: Flags) -> Floats:
    """What `_pack_allowed` made of values; 0 where an action is not allowed."""
    values = np.zeros(allowed.shape)
    values[allowed] = cases[name].flatten().to_numpy(zero_copy_only=False)
    return values


def _list_messages(words: WordColumns) -> dict[str, pa.Array]:
    return {
        "sent": pa.array(words.sent),
        "channel": _names(words.channel, CHANNELS),
        "variant": pa.array(words.variants, pa.string()).dictionary_encode(),
        "content": pa.array(words.content),
        "cost_cents": pa.array(words.cost_cents),
    }


def _list_texts(contents: Sequence[Filled]) -> Columns:
    """Texts as values in the holes of frames; the frames stand as JSON beside them."""
    frames: dict[int, int] = {}  # by identity: a frame is hashed as long as it is
    at = [frames.setdefault(id(content.frame), len(frames)) for content in contents]
    by_identity = {id(content.frame): content.frame for content in contents}
    told = [by_identity[one].model_dump(mode="json") for one in frames]
    sizes = [len(content.values) for content in contents]
    values = list(chain.from_iterable(content.values for content in contents))
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int32)
    return Columns(
        {
            "frame": pa.array(np.array(at, dtype=np.int32)),
            "values": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string())),
            "n_segments": pa.array([content.n_segments for content in contents], pa.int32()),
        },
        {_FRAMES: json.dumps(told, ensure_ascii=False).encode()},
    )


def _unpack_texts(texts: pa.RecordBatch) -> list[Filled]:
    frames = [Frame.model_validate(told) for told in json.loads(texts.schema.metadata[_FRAMES])]
    return [
        Filled(frames[at], tuple(values), n_segments)
        for at, values, n_segments in zip(
            texts["frame"].to_pylist(),
            texts["values"].to_pylist(),
            texts["n_segments"].to_pylist(),
            strict=True,
        )
    ]


def _unpack_words(
    cases: pa.RecordBatch, messages: pa.RecordBatch, texts: pa.RecordBatch
) -> WordColumns:
    rows = np.flatnonzero(read_flags(cases, "is_sent"))
    at = pa.array(rows)
    return WordColumns(
        row=rows,
        p_variants=read_floats(cases, "p_variants")[rows],
        taken=read_ints(cases, "variant")[rows],
        terms=read_floats(cases, "terms")[rows],
        languages=cases["language"].take(at).to_pylist(),
        segments=cases["segment"].take(at).to_pylist(),
        numbers=read_floats(cases, "numbers")[rows],
        sent=read_ints(messages, "sent"),
        channel=_codes(messages["channel"], CHANNELS),
        variants=messages["variant"].to_pylist(),
        content=read_ints(messages, "content"),
        cost_cents=read_floats(messages, "cost_cents"),
        contents=_unpack_texts(texts),
    )


def _spread(values: npt.NDArray[np.generic], lot: DecisionLot) -> npt.NDArray[np.generic]:
    """Values of cases with a message, (m, ...), as a row for each case; 0 for the others."""
    spread = np.zeros((len(lot), *values.shape[1:]), dtype=values.dtype)
    spread[lot.words.row] = values
    return spread


def _spread_names(names: Sequence[str | None], lot: DecisionLot) -> pa.Array:
    """Names of cases with a message as a row for each case; null for the others."""
    spread = np.full(len(lot), None, dtype=object)
    spread[lot.words.row] = names
    return pa.array(spread, pa.string()).dictionary_encode()


def _names(codes: npt.NDArray[np.int64], names: Iterable[str]) -> pa.Array:
    """Codes as a column of names."""
    values = pa.array([str(name) for name in names], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), values)


def _codes(column: pa.Array, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """A column of names as codes."""
    at = [names.index(name) for name in column.dictionary.to_pylist()]
    codes: Codes = np.array(at, dtype=np.int64)[column.indices.to_numpy()]
    return codes
