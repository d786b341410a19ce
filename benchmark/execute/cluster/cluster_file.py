"""Cluster files: how a site's Slurm is asked for resources. ``slurm/README.md`` describes the fields."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from benchmark.errors import BenchmarkError
from benchmark.validation import validated
from benchmark.yaml12 import load_mapping

DEFAULT = "default"
MONITOR = "monitor"
_OLD_MONITOR = "keeper"  # in cluster files, and in the campaigns of before
_TIME = re.compile(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)")
_MEMORY = re.compile(r"[1-9]\d*[KMGT]?")
_OPTION = re.compile(r"[a-z][a-z-]*")
_CLASS = re.compile(r"[A-Za-z][\w-]*")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_OWN_OPTIONS = frozenset(  # what the executor says itself, or a field of the cluster file
    {"account", "array", "chdir", "constraint", "cpus-per-task", "dependency", "error", "exclude", "export"}
    | {"gpus-per-node", "job-name", "kill-on-invalid-dep", "mem", "no-requeue", "nodes", "ntasks", "ntasks-per-node"}
    | {"open-mode", "output", "parsable", "partition", "qos", "requeue", "signal", "test-only", "time", "wait", "wrap"}
)

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]


def _time(text: str) -> str:
    if not _seconds(text):
        raise ValueError(f"expected HH:MM:SS or D-HH:MM:SS, longer than nothing, found {text!r}")
    return text


def _memory(text: str) -> str:
    if not _MEMORY.fullmatch(text):
        raise ValueError(f"expected a number with K, M, G or T, as in 16G, found {text!r}")
    return text


def _options(options: Mapping[str, str | int | bool]) -> Mapping[str, str | int | bool]:
    for name, value in options.items():
        if not _OPTION.fullmatch(name):
            raise ValueError(f"{name!r} is no long option of sbatch; write it without dashes before it, as in gres")
        if name in _OWN_OPTIONS:
            raise ValueError(f"{name} is set by another field or by the executor itself")
        if value is False:
            raise ValueError(f"{name} is false; leave it out, or write true for an option without a value")
    return options


def _variables(variables: Mapping[str, str | int]) -> Mapping[str, str | int]:
    wrong = [name for name in variables if not _VARIABLE.fullmatch(name)]
    if wrong:
        raise ValueError(f"{', '.join(map(repr, wrong))}: no name of an environment variable")
    return variables


def _seconds(time: str) -> int:
    """Return the length of a time; 0 for what is none."""
    found = _TIME.fullmatch(time)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Time = Annotated[str, AfterValidator(_time)]
Memory = Annotated[str, AfterValidator(_memory)]
Options = Annotated[Mapping[str, str | int | bool], AfterValidator(_options)]
Variables = Annotated[Mapping[str, str | int], AfterValidator(_variables)]


@dataclass(frozen=True)
class ResourceClass:
    """What Slurm is asked for by one stage.

    Attributes:
        time: limit of an attempt, ``HH:MM:SS`` or ``D-HH:MM:SS``.
        cpus: cores of each process.
        memory: of each node, as in ``16G``.
        gpus: of each node.
        gpu_type: model of the GPUs, where the cluster has several.
        processes: on each node. More than one share a stage that can be made together; other stages take one.
        nodes: over which the processes of a stage are spread.
        partition: instead of that of the whole file.
        max_running: stages of this class that run side by side in one campaign.
        extra: more options of sbatch, on top of those of the whole file.
    """

    time: Time
    cpus: Count = 1
    memory: Memory = "4G"
    gpus: Natural = 0
    gpu_type: str | None = None
    processes: Count = 1
    nodes: Count = 1
    partition: str | None = None
    max_running: Count | None = None
    extra: Options = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        return _seconds(self.time)

    @property
    def minutes(self) -> int:
        """The limit as Slurm counts it: in whole minutes."""
        return math.ceil(self.seconds / 60)


@dataclass(frozen=True)
class ClusterFile:
    """A cluster file, which describes a site: what all jobs share, and what each class of stages asks for.

    Attributes:
        description: for people.
        partition, account, qos, constraint, exclude: as for sbatch.
        setup: lines of bash before a stage starts, under ``set -e``.
        environment: variables that jobs get.
        container: command that Python runs under, as in ``apptainer exec --nv image.sif``.
        python: command instead of the interpreter that submits.
        max_array_size: elements of a job array; ``None`` asks Slurm.
        max_submitted: jobs of a campaign in the queue at the same time.
        retries: how often a stage starts again after a fault of a machine.
        backoff_seconds: wait before the first of these starts; doubled each time.
        signal_seconds: how long before its time limit a stage is told to save its state.
        extra: more options of sbatch.
        resources: name -> class. A class is named after a kind of stage, or ``monitor``; ``default`` serves the rest.
    """

    description: str = ""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    setup: tuple[str, ...] = ()
    environment: Variables = field(default_factory=dict)
    container: str = ""
    python: str | None = None
    max_array_size: Count | None = None
    max_submitted: Annotated[int, Field(ge=2)] | None = None  # one of them looks after the others
    retries: Natural = 3
    backoff_seconds: Natural = 60
    signal_seconds: Count = 120
    extra: Options = field(default_factory=dict)
    resources: Mapping[str, ResourceClass] = field(default_factory=dict)

    def class_of(self, kind: str) -> str:
        """Return the name of the class that serves a kind of stage."""
        return kind if kind in self.resources else DEFAULT

    @property
    def monitor(self) -> ResourceClass:
        """What the job that looks after a campaign asks for: the class of that name, or a modest ``default``."""
        modest = dataclasses.replace(
            self.resources[DEFAULT], cpus=1, gpus=0, gpu_type=None, processes=1, nodes=1, max_running=None
        )
        return self.resources.get(MONITOR, modest)

    def as_json(self) -> dict[str, Any]:
        """Return what ``cluster_file_of`` makes an equal one from."""
        return dataclasses.asdict(self)


def load_cluster_file(path: Path) -> ClusterFile:
    """Return what a cluster file says.

    Raises:
        BenchmarkError: the file cannot be read, or every unknown key and wrong value in it at once.
    """
    return cluster_file_of(load_mapping(path, "a cluster file maps the options of a cluster to values"), str(path))


def cluster_file_of(data: Mapping[str, Any], where: str) -> ClusterFile:
    """Return what the content of a cluster file says; what a class does not give is as in the class ``default``.

    Raises:
        BenchmarkError: lists every error with its dotted path.
    """
    errors: list[str] = []
    classes = _classes(data.get("resources", {}), f"{where}: resources", errors)
    try:
        shared = validated(ClusterFile, {name: value for name, value in data.items() if name != "resources"}, where)
    except BenchmarkError as error:
        errors[:0] = str(error).splitlines()
    if not errors:
        cluster = dataclasses.replace(shared, resources=classes)
        errors += (f"{where}: {fault}" for fault in _untimely(cluster))
    if errors:
        raise BenchmarkError("\n".join(errors))
    return cluster


def _classes(data: Any, where: str, errors: list[str]) -> dict[str, ResourceClass]:
    """Return the classes that could be made; add what is wrong with the others to ``errors``."""
    if not isinstance(data, dict) or DEFAULT not in data:
        errors.append(f"{where}.{DEFAULT}: missing; it serves the stages that no other class is named after.")
        data = data if isinstance(data, dict) else {}
    if _OLD_MONITOR in data and MONITOR in data:
        errors.append(f"{where}.{_OLD_MONITOR}: the old name of {MONITOR}, which is there too; leave one of them out.")
    data = {MONITOR if name == _OLD_MONITOR else name: own for name, own in data.items()}
    found: dict[str, ResourceClass] = {}
    inherited: dict[str, Any] = {}
    for name in sorted(data, key=lambda name: name != DEFAULT):
        try:
            found[name] = _class(name, data[name], inherited, where)
        except BenchmarkError as error:
            errors += str(error).splitlines()
        if name == DEFAULT:
            inherited = dataclasses.asdict(found[name]) if name in found else {"time": "01:00:00"}  # told once
    return found


def _class(name: Any, own: Any, inherited: Mapping[str, Any], where: str) -> ResourceClass:
    place = f"{where}.{name}"
    if not isinstance(name, str) or not _CLASS.fullmatch(name):
        raise BenchmarkError(f"{place}: a class is named after a kind of stage, as in train; found {name!r}.")
    if not isinstance(own, dict):
        raise BenchmarkError(f"{place}: expected fields such as time and memory, found {own!r}.")
    try:
        return validated(ResourceClass, {**inherited, **own}, place)
    except BenchmarkError as error:
        lines = (line.replace(f"{place}: ", f"{place}.", 1) for line in str(error).splitlines())
        raise BenchmarkError("\n".join(lines)) from error


def _untimely(cluster: ClusterFile) -> Iterator[str]:
    for name, resources in cluster.resources.items():
        if resources.seconds <= cluster.signal_seconds:
            yield (
                f"resources.{name}.time: {resources.time} leaves a stage no time to work before the signal that comes "
                f"{cluster.signal_seconds} s before the end; lower signal_seconds or raise the time."
            )
