"""The mirror beside the work of a run, and beside one job of a cluster."""

import threading

import pytest

from benchmark.execute.messages import Finished, Progress, Started
from benchmark.store import Store
from benchmark.tracking import Mirror, mirrored, mirrored_over_http
from tests.benchmark.tracking.support import KEY, Client, all_runs, attempt, finish


def mirrors() -> int:
    return sum(thread.name == "mlflow-mirror" for thread in threading.enumerate())


def test_what_is_told_arrives_by_the_end(store: Store, client: Client) -> None:
    attempt(store, state="failed", key="c" * 64, error="no")
    attempt(store, state="failed", key="d" * 64, error="no")
    with mirrored(store) as observers:
        (observer,) = observers
        assert mirrors() == 1
        observer.event(Started(KEY, 1))
        observer.event(Progress(KEY, 1, 2))
        finish(store)
        observer.event(Finished(KEY, "done"))
        observer.event(Finished("c" * 64, "failed"))
        observer.event(Finished("d" * 64, "busy"))  # the process that makes it tells of it
        observer.tick()
    assert mirrors() == 0
    assert {run.data.tags["stage_key"] for run in all_runs(client)} == {KEY, "c" * 64}


def test_it_ends_when_the_work_raises(store: Store, client: Client) -> None:
    def work() -> None:
        with mirrored(store) as (observer,):
            observer.event(Started(KEY, 1))
            raise KeyboardInterrupt

    finish(store)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert mirrors() == 0
    assert len(all_runs(client)) == 1


def test_switched_off(store: Store) -> None:
    with mirrored(store, switched_on=False) as observers:
        assert observers == []
        assert mirrors() == 0


@pytest.mark.parametrize("uri", [None, "sqlite:////shared/mlflow.db", "postgresql://host/db", "/shared/mlruns"])
def test_job_without_a_server_leaves_it_to_sync(store: Store, monkeypatch: pytest.MonkeyPatch, uri: str | None) -> None:
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with mirrored_over_http(store) as observers:
        assert observers == []
        assert mirrors() == 0


@pytest.mark.parametrize("uri", ["http://login1:5000", "https://user:word@mlflow.example.org/prefix"])
def test_job_talks_to_a_server(store: Store, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(Mirror, "update", lambda self, key: told.append((self.uri, key)))
    with mirrored_over_http(store) as (observer,):
        observer.event(Finished(KEY, "done"))
    assert (uri, KEY) in told
