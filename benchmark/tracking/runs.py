"""One attempt at a stage as one MLflow run: found or made, its curves continued, its end recorded."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from benchmark.errors import BenchmarkError
from benchmark.tracking import records
from benchmark.tracking.attempts import RUNNING, Attempt
from benchmark.tracking.server import artifacts
from benchmark.tracking.state import Sent, State

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

METRICS_A_CALL = 1000
PARAMETERS_A_CALL = 100
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # else the pages show traces instead of runs


class Outcome(StrEnum):
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

    def send(self, attempt: Attempt, state: State, *, verify: bool = False) -> Outcome:
        """Send what MLflow does not have yet of one attempt; sending twice changes nothing.

        Args:
            attempt: as the store has it now.
            state: what was sent before; it is brought up to date, in memory and on disk.
            verify: also ask whether a run that was sent is still known, and send it again if not.
        """
        sent = state.attempts.get(attempt.number)
        if sent and verify and not self._known(sent.run_id):
            sent = None
        if sent and sent.status == attempt.status != RUNNING:
            return Outcome.PRESENT
        outcome = Outcome.UPDATED if sent else Outcome.SENT
        if sent is None:
            sent = Sent(self._begin(attempt))
            state.attempts[attempt.number] = sent
            state.save()
        new = self._curves(attempt, sent)
        if attempt.status != RUNNING:
            self._finish(attempt, sent.run_id)
            sent.status = attempt.status
        elif not new and outcome is Outcome.UPDATED:
            return Outcome.PRESENT
        state.save()
        return outcome

    def _known(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def _begin(self, attempt: Attempt) -> str:
        """Return the run of an attempt: one that was made before the state could be written, or a new one."""
        experiment = self._experiment(attempt.experiment)
        started = _milliseconds(attempt.started)
        known = self._client.search_runs(
            [experiment],
            f"tags.stage_key = '{attempt.key}' AND tags.attempt = '{attempt.number}' "
            f"AND attributes.start_time = {started}",
            max_results=1,
        )
        if known:
            run_id = str(known[0].info.run_id)
        else:
            about = records.tags(attempt.spec, attempt.result) | {"attempt": attempt.number}
            run = self._client.create_run(experiment, start_time=started, tags=about, run_name=attempt.name)
            run_id = str(run.info.run_id)
        self._parameters(run_id, attempt)
        return run_id

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        if name not in self._experiments:
            known = self._client.get_experiment_by_name(name)
            if known is None:
                try:
                    made = self._client.create_experiment(name, artifacts(self._uri, name), EXPERIMENT_TAGS)
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
            self._client.log_artifact(run_id, str(file))
        self._metrics(run_id, (records.Point(name, value, end, 0) for name, value in values.items()))
        self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in about.items()])
        self._client.set_terminated(run_id, attempt.status, end_time=end)


def _lines(attempt: Attempt) -> list[list[records.Point]]:
    """Return the points an attempt left behind, and those before them that it continued from a checkpoint.

    Before its first own point, the file still holds points of an earlier attempt that will be dropped from it; after
    its end, the file may hold points of a later one.
    """
    lines = records.points(attempt.curves)
    if attempt.finished is not None:
        end = _milliseconds(attempt.finished)
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
