"""One attempt at a stage as one MLflow run: found or made, its curves continued, its end recorded."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.errors import BenchmarkError
from benchmark.tracking import artifacts, records
from benchmark.tracking.attempts import RUNNING, Attempt
from benchmark.tracking.state import Sent, State

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

METRICS_A_CALL = 1000
PARAMETERS_A_CALL = 100
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # else the pages show traces instead of runs


class Delivery(StrEnum):
    """What became of one attempt in one update."""

    SENT = "sent"
    UPDATED = "updated"
    PRESENT = "already there"


class Sender:
    """Sends attempts to one MLflow. Every method raises what MLflow, its database or the network raise."""

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        self._client = client
        self._uri = uri
        self._experiments: dict[str, str] = {}

    def send(self, attempt: Attempt, state: State, *, verify: bool = False) -> Delivery:
        """Send what MLflow does not have yet of one attempt; sending twice changes nothing.

        Args:
            attempt: as the store has it now.
            state: what was sent before; it is brought up to date, in memory and on disk.
            verify: also ask whether a run that was sent is still known, and send it again if not.
        """
        sent = state.attempts.get(attempt.number)
        if sent and verify and not self._verified(attempt, sent.run_id):
            sent = None
        if sent and sent.status == attempt.status != RUNNING:
            return Delivery.PRESENT
        outcome = Delivery.UPDATED if sent else Delivery.SENT
        if sent is None:
            sent = Sent(self._begin(attempt))
            state.attempts[attempt.number] = sent
            state.save()
        new = self._curves(attempt, sent)
        if attempt.status != RUNNING:
            self._finish(attempt, sent.run_id)
            sent.status = attempt.status
        elif not new and outcome is Delivery.UPDATED:
            return Delivery.PRESENT
        state.save()
        return outcome

    def _verified(self, attempt: Attempt, run_id: str) -> bool:
        """Return whether a run that was sent is still there, if only as one that the user has deleted."""
        from mlflow.exceptions import MlflowException

        found = self._only_run(attempt, run_id)
        if found is not None:
            return found == run_id
        try:
            self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def _only_run(self, attempt: Attempt, preferred: str = "") -> str | None:
        """Return the run of an attempt, if there is one.

        A slow server can make a run after its client gave up on it and made another; then one of them is deleted.
        """
        known = self._client.search_runs(
            [self._experiment(attempt.experiment)],
            f"tags.stage_key = '{attempt.key}' AND tags.attempt = '{attempt.number}' "
            f"AND attributes.start_time = {_milliseconds(attempt.started)}",
        )
        found = sorted((str(run.info.run_id) for run in known), key=lambda run_id: (run_id != preferred, run_id))
        for superfluous in found[1:]:
            self._client.delete_run(superfluous)
        return found[0] if found else None

    def _begin(self, attempt: Attempt) -> str:
        """Return the run of an attempt: one that was made before the state could be written, or a new one."""
        run_id = self._only_run(attempt)
        if run_id is None:
            run = self._client.create_run(
                self._experiment(attempt.experiment),
                start_time=_milliseconds(attempt.started),
                tags=records.tags(attempt.spec, attempt.result) | attempt.tags,
                run_name=attempt.name,
            )
            run_id = str(run.info.run_id)
        self._parameters(run_id, attempt)
        return run_id

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        if name not in self._experiments:
            known = self._client.get_experiment_by_name(name)
            if known is None:
                try:
                    place = artifacts.of_experiment(self._uri, name)
                    made = self._client.create_experiment(name, place, EXPERIMENT_TAGS)
                except MlflowException as error:
                    known = self._client.get_experiment_by_name(name)  # another process was faster
                    if known is None:
                        raise error from None
            self._experiments[name] = str(known.experiment_id if known else made)
        return self._experiments[name]

    def _parameters(self, run_id: str, attempt: Attempt) -> None:
        from mlflow.entities import Param

        for some in _chunks(records.parameters(attempt.spec).items(), PARAMETERS_A_CALL):
            self._client.log_batch(run_id, params=[Param(name, value) for name, value in some])

    def _curves(self, attempt: Attempt, sent: Sent) -> bool:
        """Send the new lines of the curves; return whether there were any."""
        lines = _lines(attempt)
        if len(lines) < sent.lines:  # written anew from an earlier step; identical points are kept once
            sent.lines = 0
        self._metrics(sent.run_id, (point for line in lines[sent.lines :] for point in line))
        grown = len(lines) > sent.lines
        sent.lines = len(lines)
        return grown

    def _metrics(self, run_id: str, points: Iterable[records.Point]) -> None:
        from mlflow.entities import Metric

        for some in _chunks(points, METRICS_A_CALL):
            self._client.log_batch(run_id, metrics=[Metric(*point) for point in some])

    def _finish(self, attempt: Attempt, run_id: str) -> None:
        from mlflow.entities import RunTag

        end = _milliseconds(attempt.finished if attempt.finished is not None else attempt.started)
        values: dict[str, float] = records.summary(attempt.result) if attempt.result else {}
        about = records.tags(attempt.spec, attempt.result)
        if attempt.error:
            about["error"] = records.shortened(attempt.error, records.TAG_LIMIT)
        for file in attempt.files:
            if file.name == "counts.npz":
                try:
                    values |= records.scores(file, attempt.spec["cells"])
                except BenchmarkError as error:  # counted by another version: the run is worth showing all the same
                    about["no_scores"] = records.shortened(str(error), records.TAG_LIMIT)
        self._files(run_id, attempt)
        self._metrics(run_id, (records.Point(name, value, end, 0) for name, value in values.items()))
        self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in about.items()])
        self._client.set_terminated(run_id, attempt.status, end_time=end)

    def _files(self, run_id: str, attempt: Attempt) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        location = self._client.get_run(run_id).info.artifact_uri
        place: Any = get_artifact_repository(artifacts.of_run(location, attempt.experiment, self._uri), self._uri)
        for file in attempt.files:
            place.log_artifact(str(file))


def _lines(attempt: Attempt) -> list[list[records.Point]]:
    """Return the points an attempt left behind, and those before them that it continued from a checkpoint.

    Before its first own point, the file still holds points of an earlier attempt that will be dropped from it; after
    its end, the file may hold points of a later one.
    """
    lines = records.points(attempt.curves)
    if attempt.until is not None:
        end = _milliseconds(attempt.until)
        lines = [[point for point in line if point.time <= end] for line in lines]
    started = _milliseconds(attempt.started)
    own = any(point.time >= started for line in lines for point in line)
    return lines if own or attempt.result else []


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _chunks(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
