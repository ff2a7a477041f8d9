"""Reading back what was logged: every version of a model with its run, oldest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from training.registry.entries import Alias, ModelName
from training.registry.tracking import Tracking


@dataclass(frozen=True)
class LoggedVersion:
    """A version of a model and everything that was written down when it was made.

    Attributes:
        name: The model.
        version: Its number in the registry.
        run_id: The run that made it.
        made_at: When it was registered.
        is_finished: Whether its run came to its end.
        aliases: Parts that it plays.
        metrics: What was measured, by name.
        params: Settings.
        tags: Tags of the run.
    """

    name: ModelName
    version: str
    run_id: str
    made_at: datetime
    is_finished: bool
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def is_champion(self) -> bool:
        """Whether it is served."""
        return Alias.CHAMPION.value in self.aliases


def read_versions(tracking: Tracking, name: ModelName) -> tuple[LoggedVersion, ...]:
    """Every version of a model, oldest first; none where it was never trained."""
    client = _open(tracking)
    if not client.search_registered_models(f"name = '{name.value}'"):
        return ()
    by_version: dict[str, list[str]] = {}
    for alias, version in client.get_registered_model(name.value).aliases.items():
        by_version.setdefault(str(version), []).append(alias)
    entries = client.search_model_versions(f"name = '{name.value}'")
    versions = []
    for entry in sorted(entries, key=lambda one: int(one.version)):
        run = client.get_run(str(entry.run_id))
        versions.append(
            LoggedVersion(
                name=name,
                version=str(entry.version),
                run_id=str(entry.run_id),
                made_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, tz=UTC),
                is_finished=run.info.status == "FINISHED",
                aliases=tuple(sorted(by_version.get(str(entry.version), ()))),
                metrics=dict(run.data.metrics),
                params=dict(run.data.params),
                tags=dict(run.data.tags),
            )
        )
    return tuple(versions)


def read_plots(tracking: Tracking, run_id: str) -> Mapping[str, bytes]:
    """The plots that a run logged, as PNG, by name; none where it logged none."""
    client = _open(tracking)
    plots = {}
    with TemporaryDirectory() as folder:
        for artifact in client.list_artifacts(run_id, "plots"):
            local = Path(client.download_artifacts(run_id, artifact.path, folder))
            plots[local.stem] = local.read_bytes()
    return plots


def _open(tracking: Tracking) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.uri, registry_uri=tracking.uri)
