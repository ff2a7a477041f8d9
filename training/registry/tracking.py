"""The door to MLflow: trainings are logged, versions registered, champions named and read.

Only the client is used, never MLflow's global tracking URI, so that two stores do not mix.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import (
    Dataset,
    DatasetInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.entities.model_registry import ModelVersion as Entry
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from features.errors import BadInputError
from training.claims import RunFacts
from training.evaluation import HeldOut
from training.gate import Promote, RolledBack
from training.registry.audit import MOST_CHARACTERS, Event
from training.registry.entries import Alias, ModelName, ModelVersion, NoChampion, NoVersion
from training.registry.folder import SERVABLE_FILE, write_model_folder
from training.registry.servable import Servable, load_servable

EXPERIMENT = "opportune"
_TRAINED_UNTIL = "opportune.trained_until"
_BEFORE = "opportune.before"
_EVENT = "opportune.event."
_MOST_AT_ONCE = 100  # what MLflow takes of parameters; of metrics it would take more


@dataclass(frozen=True)
class TrainingRecord:
    """Everything that is logged about one training.

    Attributes:
        name: Under which name the model is registered.
        model: The model.
        trained_until: It has seen no label of this moment or later.
        fingerprint: Of the data it was made from.
        tables: Tables that had rows.
        params: Settings of the training.
        metrics: What came out, by name.
        plots: Figures by file name without ending.
        notes: Tags of the run: what a reader must know, such as that no arm was randomised.
        documents: Texts that are kept with the run, by file name.
        held_out: Its test rows and how the model did on them; None where it held none out.
    """

    name: ModelName
    model: Servable
    trained_until: datetime
    fingerprint: str
    tables: tuple[str, ...]
    params: Mapping[str, str | int | float]
    metrics: Mapping[str, float]
    plots: Mapping[str, Figure] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    held_out: HeldOut | None = None


class Tracking:
    """An MLflow tracking store and registry.

    Args:
        uri: MLflow's own address, such as `sqlite:////home/me/mlflow.db` or `http://host:5000`.
        artifact_root: Where artifacts of a new experiment go: a URI; None leaves it to the server.
        experiment: Name of the experiment that runs belong to; made if missing.
    """

    def __init__(
        self, uri: str, *, artifact_root: str | None, experiment: str = EXPERIMENT
    ) -> None:
        self.uri = uri
        self._client = _open_client(uri)
        found = self._client.get_experiment_by_name(experiment)
        self._experiment_id: str = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(experiment, artifact_location=artifact_root)
        )

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """A store of its own in the folder: `mlflow.db` and `artifacts/`; made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        home = folder.resolve()
        artifacts = (home / "artifacts").as_uri()
        return cls(f"sqlite:///{(home / 'mlflow.db').as_posix()}", artifact_root=artifacts)

    def log_training(self, record: TrainingRecord) -> ModelVersion:
        """Log the training as a run, register its model, and make it the challenger."""
        with self._run(record) as run:
            self._log_facts(record, run=run)
            for name, figure in record.plots.items():
                self._client.log_figure(run.info.run_id, figure, f"plots/{name}.png")
            for name, text in record.documents.items():
                self._client.log_text(run.info.run_id, text, name)
            source = self._log_model(record, run_id=run.info.run_id)
            version = self._register(record, source=source, run_id=run.info.run_id)
        return ModelVersion(
            name=record.name,
            version=version,
            run_id=str(run.info.run_id),
            trained_until=record.trained_until,
            model=replace(record.model, version=version),
        )

    def find(self, name: ModelName, *, alias: Alias) -> ModelVersion | NoVersion:
        """The version under that alias. Only our JSON is read: nothing in it is executed.

        Raises:
            BadInputError: Its JSON is not there, or is not a model that can be served.
            IncompatibleModelError: It is one that only an earlier release could read.
        """
        number = self.find_number(name, alias=alias)
        if number is None:
            return NoVersion(name, alias)
        entry = self._client.get_model_version(name.value, number)
        model = self._read_model(entry)
        version = str(entry.version)
        return ModelVersion(
            name=name,
            version=version,
            run_id=str(entry.run_id),
            trained_until=datetime.fromisoformat(entry.tags[_TRAINED_UNTIL]),
            model=replace(model, version=version),
        )

    def read_document(self, run_id: str, name: str) -> str | None:
        """A text that was logged with the run (`TrainingRecord.documents`); None without one."""
        if name not in {artifact.path for artifact in self._client.list_artifacts(run_id)}:
            return None
        with TemporaryDirectory() as folder:
            local = self._client.download_artifacts(run_id, name, folder)
            return Path(local).read_text(encoding="utf-8")

    def load_champion(self, name: ModelName) -> Servable | NoChampion:
        """The model that is served."""
        found = self.find(name, alias=Alias.CHAMPION)
        return NoChampion(name) if isinstance(found, NoVersion) else found.model

    def set_champion(self, decision: Promote, *, event: Event | None = None) -> None:
        """Let the promoted version be served; it is no longer the challenger.

        The champion before becomes `previous`, and the version remembers it.

        Args:
            decision: Of the gate.
            event: For the trail; None leaves the trail as it is.
        """
        name, version = decision.name.value, decision.version
        aliases = self._find_aliases(decision.name)
        before = aliases.get(Alias.CHAMPION)
        if before is not None and before != version:
            self._client.set_model_version_tag(name, version, _BEFORE, before)
            self._client.set_registered_model_alias(name, Alias.PREVIOUS.value, before)
        self._client.set_registered_model_alias(name, Alias.CHAMPION.value, version)
        if aliases.get(Alias.CHALLENGER) == version:
            self._client.delete_registered_model_alias(name, Alias.CHALLENGER.value)
        if event is not None:
            self.log_event(decision.name, event)

    def restore(self, rollback: RolledBack, *, event: Event) -> None:
        """Let the champion before be served again; `previous` is then the one before that."""
        name = ModelName(rollback.name)
        entry = self._client.get_model_version(name.value, rollback.version)
        self._client.set_registered_model_alias(name.value, Alias.CHAMPION.value, rollback.version)
        if _BEFORE in entry.tags:
            before = entry.tags[_BEFORE]
            self._client.set_registered_model_alias(name.value, Alias.PREVIOUS.value, before)
        else:
            self._client.delete_registered_model_alias(name.value, Alias.PREVIOUS.value)
        self.log_event(name, event)

    def find_number(self, name: ModelName, *, alias: Alias) -> str | None:
        """Number of the version under that alias, without reading the model; None without one."""
        return self._find_aliases(name).get(alias)

    def log_event(self, name: ModelName, event: Event) -> None:
        """Add to the model's trail, and mark the version with what was decided last of it."""
        number = len(self.read_history(name)) + 1
        self._client.set_registered_model_tag(name.value, f"{_EVENT}{number:06d}", event.to_json())
        marks = {
            "opportune.gate": event.kind.value,
            "opportune.gate_reasons": "; ".join(event.reasons)[:MOST_CHARACTERS],
            "opportune.gate_as_of": event.known_until.isoformat() if event.known_until else "",
            "opportune.gate_by": event.by or "",
            "opportune.gate_at": event.at.isoformat() if event.at else "",
        }
        for key, value in marks.items():
            self._client.set_model_version_tag(name.value, event.version, key, value)

    def read_history(self, name: ModelName) -> tuple[Event, ...]:
        """Every decision about the model's versions, oldest first."""
        found = self._find_model(name)
        tags = {} if found is None else found.tags
        keys = sorted(key for key in tags if key.startswith(_EVENT))
        return tuple(Event.from_json(tags[key]) for key in keys)

    def read_run(self, version: ModelVersion) -> RunFacts:
        """What was logged when the version was trained."""
        data = self._client.get_run(version.run_id).data
        return RunFacts(dict(data.metrics), dict(data.params), dict(data.tags))

    def _read_model(self, entry: Entry) -> Servable:
        """The model of a version; BadInputError where its JSON is not there or not a model."""
        with TemporaryDirectory() as folder:
            source = f"{entry.source}/{SERVABLE_FILE}"
            try:
                local = download_artifacts(
                    artifact_uri=source, dst_path=folder, tracking_uri=self.uri
                )
            except MlflowException as fault:
                raise BadInputError(
                    f"version {entry.version} of {entry.name} has no {SERVABLE_FILE} that can be "
                    f"fetched from {source}: {fault}"
                ) from fault
            return load_servable(Path(local))

    def _find_model(self, name: ModelName) -> RegisteredModel | None:
        try:
            return self._client.get_registered_model(name.value)
        except MlflowException as fault:
            if fault.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _find_aliases(self, name: ModelName) -> Mapping[Alias, str]:
        """Version numbers by our aliases."""
        found = self._find_model(name)
        aliases = {} if found is None else found.aliases
        return {alias: str(aliases[alias.value]) for alias in Alias if alias.value in aliases}

    @contextmanager
    def _run(self, record: TrainingRecord) -> Iterator[Run]:
        """A run that ends as failed when what is inside it fails."""
        run = self._client.create_run(self._experiment_id, run_name=record.name.value)
        try:
            yield run
        except BaseException:
            self._client.set_terminated(run.info.run_id, status="FAILED")
            raise
        self._client.set_terminated(run.info.run_id)

    def _log_facts(self, record: TrainingRecord, *, run: Run) -> None:
        moment = run.info.start_time
        tags = {
            "fingerprint": record.fingerprint,
            "tables": ",".join(record.tables),
            "trained_until": record.trained_until.isoformat(),
            **record.notes,
        }
        metrics = [Metric(key, value, moment, 0) for key, value in record.metrics.items()]
        params = [Param(key, str(value)) for key, value in record.params.items()]
        for at in range(0, max(len(metrics), len(params)), _MOST_AT_ONCE):
            self._client.log_batch(
                run.info.run_id,
                metrics=metrics[at : at + _MOST_AT_ONCE],
                params=params[at : at + _MOST_AT_ONCE],
            )
        self._client.log_batch(
            run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()]
        )
        dataset = Dataset(
            name=record.name.value,
            digest=record.fingerprint[:36],  # as long as MLflow lets it be
            source_type="opportune",
            source=",".join(record.tables),
        )
        self._client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset)])

    def _log_model(self, record: TrainingRecord, *, run_id: str) -> str:
        """Log the model's folder; returns where it lies."""
        logged = self._client.create_logged_model(
            self._experiment_id, name=record.name.value, source_run_id=run_id
        )
        with TemporaryDirectory() as folder:
            write_model_folder(record.model, Path(folder), run_id=run_id)
            self._client.log_model_artifacts(logged.model_id, folder)
        ready = self._client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        self._client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        location: str = ready.artifact_location
        return location

    def _register(self, record: TrainingRecord, *, source: str, run_id: str) -> str:
        """Register the model as the new challenger; returns its version."""
        name = record.name.value
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        tags = {_TRAINED_UNTIL: record.trained_until.isoformat()}
        entry = self._client.create_model_version(name, source=source, run_id=run_id, tags=tags)
        self._client.set_registered_model_alias(name, Alias.CHALLENGER.value, entry.version)
        return str(entry.version)


def _open_client(uri: str) -> MlflowClient:
    # A new store announces every migration of its schema.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # MLflow's own use of SQLAlchemy 2.1, when its store is first imported.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
