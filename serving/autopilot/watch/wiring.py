"""A watcher made of settings: detector, customers, triage."""

from dataclasses import dataclass

from features.sources import Location, read_tables
from serving.autopilot.inbound.known import read_known
from serving.autopilot.inbound.model_triage import ModelTriage
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.watch.finding import find_detector
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.prepared import PreparedDetector
from serving.autopilot.watch.sorting import Sorter
from serving.autopilot.watch.watcher import Watcher
from serving.copywriter.claude import Claude
from serving.copywriter.prices import load_prices
from serving.copywriter.settings import ClaudeSettings
from serving.settings import Settings
from serving.store.store import Store

PATIENCE_SECONDS = 4.0
"""How long a message waits for the model."""

_MARGIN_SECONDS = 0.5  # to hear why there is no answer


@dataclass(frozen=True)
class WiredWatcher:
    """A watcher, and what is to be said of it at the start.

    Attributes:
        watcher: Ready to look.
        prepared: Its detector.
        model: That sorts messages; None: stems and examples alone.
        knows_nobody: Whether neither tables nor the store know a customer, so that nothing counts.
    """

    watcher: Watcher
    prepared: PreparedDetector
    model: str | None
    knows_nobody: bool

    @property
    def words(self) -> str:
        """What it watches by, for people."""
        budget = self.prepared.settings.false_alarms_per_week
        said = f"watching for bursts of complaints, at {budget:g} a week by chance in the chain"
        if self.prepared.baseline.is_assumed:
            said += (
                "; what is usual is assumed, `opportune autopilot prepare` learns it from history"
            )
        if self.knows_nobody:
            said += (
                "; no customer is known, so that no complaint counts: give --data, or run"
                " `opportune online rebuild`"
            )
        sorts = "stems and examples" if self.model is None else self.model
        return f"{said}; messages are sorted by {sorts}"


def wire_watcher(settings: Settings, *, store: Store, data: Location | None = None) -> WiredWatcher:
    """A watcher for this home.

    Args:
        settings: With the detector's file and, where there is one, the model's key.
        store: Where messages arrive.
        data: Tables that say who is a customer and what is wrong already, beside what was posted
            to `/events` and rebuilt.

    Raises:
        ConfigurationError: A file cannot be read, or is wrong.
    """
    prepared = find_detector(settings)
    base = None if data is None else read_known(read_tables(data))
    directory = Directory(base)
    triage = OfflineTriage(prepared.taxonomy)
    sorter = _make_sorter(settings.anthropic, prepared.taxonomy, triage, directory)
    watcher = Watcher(store, prepared=prepared, triage=triage, sorter=sorter, directory=directory)
    with store.reading() as session:
        has_customers = data is not None or session.online.current_generation() is not None
    return WiredWatcher(
        watcher=watcher,
        prepared=prepared,
        model=None if sorter.model is None else settings.anthropic.triage_model,
        knows_nobody=not has_customers,
    )


def _make_sorter(
    anthropic: ClaudeSettings, taxonomy: Taxonomy, triage: OfflineTriage, directory: Directory
) -> Sorter:
    """By the model, where there is a key."""
    if not anthropic.has_key:
        return Sorter(triage)
    claude = Claude(anthropic, prices=load_prices(anthropic.prices))
    model = ModelTriage(
        taxonomy,
        asker=claude,
        fallback=triage,
        first_names=directory.first_names,
        deadline_seconds=PATIENCE_SECONDS - _MARGIN_SECONDS,
    )
    return Sorter(triage, model=model, patience_seconds=PATIENCE_SECONDS, close_model=claude.close)
