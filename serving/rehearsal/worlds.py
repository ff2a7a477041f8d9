"""Where a rehearsal takes place: our simulated world in its scenarios, or any class by its path."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.checks import require_valid
from features.errors import BadInputError, ConfigurationError
from serving.policy.settings import PolicySettings
from training.world.protocol import NoticeWorld, World
from training.world.scenario import SCENARIOS, scenario_named
from training.world.simulated import SimulatedWorld

_PARTS = ("start", "tables", "deliver", "advance", "true_value")


class WorldSource(Protocol):
    """Makes worlds; the same case and seed give the same world, as often as it is asked."""

    @property
    def cases(self) -> tuple[str, ...]:
        """What it can make."""
        ...

    def make(self, case: str, *, seed: int) -> World:
        """A world of its own that has lived up to its start."""
        ...

    def price(self, policy: PolicySettings) -> PolicySettings:
        """The policy with what everybody there knows of prices."""
        ...


@dataclass(frozen=True)
class Simulated:
    """Our world in some of its scenarios.

    Attributes:
        n_customers: Customers.
        history_days: Days before the start.
        scenarios: Names; empty means all.
    """

    n_customers: int
    history_days: int
    scenarios: tuple[str, ...] = ()

    @property
    def cases(self) -> tuple[str, ...]:
        """The scenarios."""
        return self.scenarios or tuple(SCENARIOS)

    def make(self, case: str, *, seed: int) -> World:
        """The world of that scenario; ConfigurationError lists the known ones."""
        return SimulatedWorld(
            seed=seed,
            n_customers=self.n_customers,
            days=self.history_days,
            scenario=scenario_named(case),
        )

    def price(self, policy: PolicySettings) -> PolicySettings:
        """An SMS costs one segment in every language."""
        return price_simulated(policy)


def price_simulated(policy: PolicySettings) -> PolicySettings:
    """The policy with what an SMS costs in our world: one segment in every language."""
    learned = policy.learned.model_copy(update={"sms_segments": {}})
    return policy.model_copy(update={"learned": learned})


@dataclass(frozen=True)
class Foreign:
    """Somebody else's world, a class in a file of theirs.

    Attributes:
        file: Python file.
        class_name: Class in it that is built as `ClassName(seed=...)`.
    """

    file: Path
    class_name: str

    @classmethod
    def at(cls, place: str) -> "Foreign":
        """The class at `path/to/file.py:ClassName`; ConfigurationError when written otherwise."""
        file, _, class_name = place.rpartition(":")
        if not file.endswith(".py") or not class_name.isidentifier():
            raise ConfigurationError(
                f"--world {place!r}: expected path/to/file.py:ClassName, e.g. shop.py:ShopWorld"
            )
        return cls(Path(file), class_name)

    @property
    def cases(self) -> tuple[str, ...]:
        """One: the class."""
        return (self.class_name,)

    def make(self, case: str, *, seed: int) -> World:
        """The world; its tables are checked whenever they are asked for.

        Raises:
            ConfigurationError: There is no such file or class, it cannot be made, or it lacks a
                part of a world.
        """
        kind = getattr(_load(self.file), case, None)
        if kind is None:
            raise ConfigurationError(f"--world: {self.file} has no class {case}")
        try:
            world = kind(seed=seed)
        except Exception as fault:  # somebody else's code dies of anything; it is told, not kept
            raise _blame(self.file, fault, doing=f"{case}(seed={seed})") from fault
        missing = [part for part in _PARTS if not hasattr(world, part)]
        if missing:
            raise ConfigurationError(
                f"--world: {case} of {self.file} lacks {', '.join(missing)}; "
                "training/world/protocol.py says what a world has"
            )
        if not isinstance(world.start, datetime) or world.start.tzinfo is None:
            raise ConfigurationError(
                f"--world: {case}.start must be an aware datetime, got {world.start!r}"
            )
        kind_of_world = ConformedNotices if isinstance(world, NoticeWorld) else Conformed
        return kind_of_world(cast("World", world))

    def price(self, policy: PolicySettings) -> PolicySettings:
        """As it was configured."""
        return policy


class Conformed:
    """A world whose tables are made to fit the contracts, or refused.

    Attributes:
        start: First moment of the rehearsal.
    """

    def __init__(self, world: World) -> None:
        """Wrap a world."""
        self.start = world.start
        self._world = world

    def tables(self, until: datetime) -> Mapping[str, pd.DataFrame]:
        """Facts known strictly before `until`; TablesRefusedError lists what is wrong with them."""
        return require_valid(self._world.tables(until), as_of=until)

    def deliver(self, messages: pd.DataFrame) -> None:
        """Take messages to send."""
        self._world.deliver(messages)

    def advance(self, until: datetime) -> None:
        """Live on until that moment."""
        self._world.advance(until)

    def true_value(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Cents of each candidate; BadInputError where the world gives something else."""
        return _require_values(self._world.true_value(candidates), candidates, method="true_value")


class ConformedNotices(Conformed):
    """One that also knows what several messages about one case are worth together."""

    def true_value_of_notices(self, candidates: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Cents of each candidate beside those above it; BadInputError as of `true_value`."""
        values = cast("NoticeWorld", self._world).true_value_of_notices(candidates)
        return _require_values(values, candidates, method="true_value_of_notices")


def _require_values(
    values: npt.ArrayLike, candidates: pd.DataFrame, *, method: str
) -> npt.NDArray[np.float64]:
    """The values as numbers; BadInputError says what a world gave in their place."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (len(candidates),) or not np.isfinite(numbers).all():
        n_odd = int((~np.isfinite(numbers)).sum())
        raise BadInputError(
            f"--world: {method} of {len(candidates)} candidates must be as many finite "
            f"numbers, got shape {numbers.shape} with {n_odd} that are not finite"
        )
    return numbers


def _load(file: Path) -> object:
    """The module in that file, run once per process."""
    place = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
    name = f"opportune_world_{file.stem}_{place}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigurationError(f"--world: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it is run: dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException as fault:
        del sys.modules[name]  # half a module is none
        if isinstance(fault, Exception):
            raise _blame(file, fault, doing="its code") from fault
        raise
    return module


def _blame(file: Path, fault: Exception, *, doing: str) -> ConfigurationError:
    """What somebody else's code died of, and where in it."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(fault.__traceback__)
        if Path(frame.filename) == file
    ]
    if isinstance(fault, SyntaxError):
        lines.append(fault.lineno)
    at = f", line {lines[-1]}" if lines else ""
    reason = fault.msg if isinstance(fault, SyntaxError) else str(fault)
    return ConfigurationError(
        f"--world: {file}{at}: {doing} ended with {type(fault).__name__}: {reason}"
    )
