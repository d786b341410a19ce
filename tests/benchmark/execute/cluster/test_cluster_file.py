import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from benchmark.execute.cluster.cluster_file import cluster_file_of, load_cluster_file

SHIPPED = sorted((Path(__file__).parents[4] / "slurm").glob("*.yaml"))
DEFAULT = {"time": "01:00:00"}


def errors_of(data: dict[str, Any]) -> list[str]:
    with pytest.raises(BenchmarkError) as error:
        cluster_file_of(data, "p.yaml")
    return str(error.value).splitlines()


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_the_shipped_cluster_files_are_valid_and_survive_json(path: Path) -> None:
    cluster = load_cluster_file(path)
    assert cluster.description
    assert cluster_file_of(json.loads(json.dumps(cluster.as_json())), "campaign.json") == cluster


def test_there_are_cluster_files_to_begin_with() -> None:
    assert {path.name for path in SHIPPED} >= {"local.yaml", "example-gpu.yaml", "preemptible.yaml"}


def test_a_class_takes_from_default_what_it_does_not_give() -> None:
    resources = {"default": {**DEFAULT, "memory": "8G", "max_running": 4}, "train": {"gpus": 2, "max_running": None}}
    cluster = cluster_file_of({"resources": resources}, "p.yaml")
    train = cluster.resources["train"]
    assert (train.time, train.memory, train.gpus, train.max_running) == ("01:00:00", "8G", 2, None)
    assert [cluster.class_of(kind) for kind in ("train", "evaluate")] == ["train", "default"]


@pytest.mark.parametrize(
    ("time", "seconds", "minutes"),
    [("00:10:00", 600, 10), ("00:10:01", 601, 11), ("1-02:00:00", 93600, 1560), ("100:00:00", 360000, 6000)],
)
def test_times(time: str, seconds: int, minutes: int) -> None:
    found = cluster_file_of({"resources": {"default": {"time": time}}}, "p.yaml").resources["default"]
    assert (found.seconds, found.minutes) == (seconds, minutes)


def test_the_monitor_is_modest_unless_the_cluster_file_says_what_it_needs() -> None:
    default = {**DEFAULT, "cpus": 8, "gpus": 4, "gpu_type": "a100", "processes": 4, "nodes": 2, "partition": "gpu"}
    monitor = cluster_file_of({"resources": {"default": default}}, "p.yaml").monitor
    assert (monitor.cpus, monitor.gpus, monitor.gpu_type, monitor.processes, monitor.nodes) == (1, 0, None, 1, 1)
    assert monitor.partition == "gpu"
    for name in ("monitor", "keeper"):  # the second as in older files
        own = cluster_file_of({"resources": {"default": default, name: {"gpus": 1, "memory": "1G"}}}, "p.yaml").monitor
        assert (own.gpus, own.memory, own.cpus) == (1, "1G", 8)
    with pytest.raises(BenchmarkError, match=r"resources\.keeper: the old name of monitor, which is there too"):
        cluster_file_of({"resources": {"default": default, "monitor": {}, "keeper": {}}}, "p.yaml")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"partitoin": "gpu"}, "p.yaml: partitoin: unknown key. Did you mean partition"),
        ({"partition": 3}, "p.yaml: partition: Input should be a valid string, found 3."),
        ({"setup": "module load cuda"}, "p.yaml: setup: Input should be a valid array, found 'module load cuda'."),
        ({"retries": -1}, "p.yaml: retries: Input should be greater than or equal to 0, found -1."),
        ({"max_submitted": 1}, "p.yaml: max_submitted: Input should be greater than or equal to 2, found 1."),
        ({"max_array_size": 0}, "p.yaml: max_array_size: Input should be greater than or equal to 1, found 0."),
        ({"environment": {"A-B": "1"}}, "p.yaml: environment: 'A-B': no name of an environment variable."),
        ({"extra": {"--gres": "x"}}, "p.yaml: extra: '--gres' is no long option of sbatch; write it without dashes"),
        ({"extra": {"time": "1"}}, "p.yaml: extra: time is set by another field or by the executor itself."),
        ({"extra": {"exclusive": False}}, "p.yaml: extra: exclusive is false; leave it out"),
        ({"resources": {}}, "p.yaml: resources.default: missing; it serves"),
        ({"resources": 3}, "p.yaml: resources.default: missing; it serves"),
        ({"resources": {"default": {}}}, "p.yaml: resources.default.time: missing."),
        ({"resources": {"default": 3}}, "p.yaml: resources.default: expected fields such as time and memory, found 3."),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], error: str) -> None:
    found = errors_of({"resources": {"default": DEFAULT}, **change})
    assert len(found) == 1
    assert found[0].startswith(error)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("time", "1:00", "time: expected HH:MM:SS or D-HH:MM:SS, longer than nothing, found '1:00'."),
        ("time", "00:00:00", "time: expected HH:MM:SS or D-HH:MM:SS, longer than nothing, found '00:00:00'."),
        ("time", "01:60:00", "time: expected HH:MM:SS"),
        ("time", 60, "time: Input should be a valid string, found 60."),
        ("cpus", 0, "cpus: Input should be greater than or equal to 1, found 0."),
        ("memory", "16 GB", "memory: expected a number with K, M, G or T, as in 16G, found '16 GB'."),
        ("gpus", "a100:2", "gpus: Input should be a valid integer, found 'a100:2'."),
        ("processes", 0, "processes: Input should be greater than or equal to 1, found 0."),
        ("max_running", 0, "max_running: Input should be greater than or equal to 1, found 0."),
        ("mem", "1G", "mem: unknown key. Did you mean"),
        ("extra", {"array": "1-3"}, "extra: array is set by another field or by the executor itself."),
    ],
)
def test_what_is_wrong_in_a_class_is_named_where_it_stands(field: str, value: object, error: str) -> None:
    for name in ("default", "train"):
        found = errors_of({"resources": {"default": DEFAULT, name: {**DEFAULT, field: value}}})
        assert len(found) == 1, "what train inherits is told once"
        assert found[0].startswith(f"p.yaml: resources.{name}.{error}")


def test_all_errors_are_told_at_once() -> None:
    resources = {"default": {"time": "x", "memory": "y"}, "train": {"cpus": 0}, "a b": {}}
    found = errors_of({"resources": resources, "qos": 1, "exclud": "n1"})
    places = [line.removeprefix("p.yaml: ").split(":")[0] for line in found]
    assert places == [
        "qos",
        "exclud",
        *(f"resources.{n}" for n in ("default.time", "default.memory", "train.cpus", "a b")),
    ]


def test_a_stage_must_have_time_to_work_before_it_is_told_to_stop() -> None:
    resources = {"default": DEFAULT, "evaluate": {"time": "00:02:00"}}
    found = errors_of({"resources": resources, "signal_seconds": 120})
    assert len(found) == 1
    assert found[0].startswith(
        "p.yaml: resources.evaluate.time: 00:02:00 leaves a stage no time to work before the signal"
    )
    assert cluster_file_of({"resources": resources, "signal_seconds": 119}, "p.yaml").signal_seconds == 119


def test_a_file_that_is_no_cluster_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    with pytest.raises(BenchmarkError, match=r"cannot read .*p\.yaml"):
        load_cluster_file(path)
    path.write_text("- 1\n")
    with pytest.raises(BenchmarkError, match=r"a cluster file maps the options of a cluster to values; found \[1\]"):
        load_cluster_file(path)
    path.write_text("resources: {default: {time: 01:30:00}}\n")
    assert load_cluster_file(path).resources["default"].seconds == 5400
