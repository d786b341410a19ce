"""``doctor``: whether this machine can run the benchmark, and what to do where it cannot."""

import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, entry_points, metadata, requires, version
from pathlib import Path
from typing import Literal

import click

from benchmark.errors import BenchmarkError, Exit
from benchmark.selection.options import store_option

DISTRIBUTION = "weak-shot-segmentation-benchmark"
ENOUGH_DISK = 5e9  # bytes; a table of the mini profile takes far less, checkpoints of the paper profile more
LITTLE_DISK = 2e8

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, what was found, and the way out unless all is well."""

    name: str
    status: Status
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.status:<4}  {self.name}: {self.found}" + (f" -> {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Places:
    """What the user said about where things are."""

    store: Path
    uri: str | None
    dataset: str | None
    data_root: Path | None


@click.command()
@store_option
@click.option("--uri", help="MLflow tracking URI.  [default: $MLFLOW_TRACKING_URI, else SQLite beside the store]")
@click.option("--dataset", help="Look at this dataset too: name, or path of a dataset YAML.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder in which the dataset of --dataset lies.")
@click.option("--arithmetic", "bits", is_flag=True, help="Say instead whether numbers here will be the published ones.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def command(
    *, store: Path, uri: str | None, dataset: str | None, data_root: Path | None, bits: bool, as_json: bool
) -> int:
    """Check this machine: packages, devices, disk, MLflow, data, methods. One line a check.

    Exit code 1 if something fails; what only limits what can be run is a warning. With --arithmetic each kind of
    training of the miniature runs for some iterations, in a minute or two, and its weights are compared bit by bit with
    those of the machine that made the published results.
    """
    if data_root is not None and dataset is None:
        raise click.UsageError("--data-root says where the dataset of --dataset lies; give both.")
    places = Places(store, uri, dataset, data_root)
    checks: list[Check] = []
    for check in (arithmetic,) if bits else CHECKS:
        for line in check(places):
            checks.append(line)
            if not as_json:
                click.echo(str(line))
    failed = sum(line.status == "fail" for line in checks)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [asdict(line) for line in checks]}, indent=1))
    return Exit.INCOMPLETE if failed else Exit.OK


def python(_: Places) -> Iterator[Check]:
    """Check the interpreter against what this package says it needs."""
    from packaging.specifiers import SpecifierSet

    found = f"{platform.python_version()} ({sys.executable}, {platform.platform()})"
    try:
        needed = metadata(DISTRIBUTION)["Requires-Python"]
    except PackageNotFoundError:
        yield Check(
            "Python", "fail", f"{found}; {DISTRIBUTION} is not installed in it", "pip install -e . in its folder"
        )
        return
    if SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
        yield Check("Python", "ok", found)
    else:
        yield Check("Python", "fail", f"{found}; {needed} needed", "make a virtual environment with such a Python")


def packages(_: Places) -> Iterator[Check]:
    """Check that every required package is there in a version that fits."""
    from packaging.requirements import Requirement

    required = [Requirement(text) for text in (requires(DISTRIBUTION) if installed(DISTRIBUTION) else None) or ()]
    here = {one: installed(one.name) for one in required if one.marker is None or one.marker.evaluate()}
    fits = {one: found for one, found in here.items() if found and one.specifier.contains(found, prereleases=True)}
    wrong = {one: found for one, found in here.items() if one not in fits}
    if wrong:
        detail = ", ".join(f"{one} needed, {found or 'nothing'} found" for one, found in wrong.items())
        yield Check("packages", "fail", detail, "pip install " + " ".join(f"'{one}'" for one in wrong))
    if fits:
        yield Check("packages", "ok", ", ".join(f"{one.name} {found}" for one, found in fits.items()))


def code(_: Places) -> Iterator[Check]:
    """Say which code this is, as results will."""
    from benchmark.provenance import source_revision, without_commit

    revision = source_revision()
    if revision.commit:
        yield Check("code", "ok", f"commit {revision.commit[:12]}" + (" with changes" if revision.dirty else ""))
    else:
        yield Check("code", "warn", without_commit(), "use a git checkout, or a wheel built from one")


def torch(_: Places) -> Iterator[Check]:
    """Check that torch and torchvision were built for each other, what they compute on, and with how many threads."""
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError, OSError) as error:  # a wrong pair: "operator torchvision::nms does not exist"
        remedy = "install both from one index: pip install --force-reinstall torch torchvision"
        yield Check("torch", "fail", f"does not load: {error}", remedy)
        return
    yield Check("torch", "ok", f"torch {torch.__version__} with torchvision {torchvision.__version__}")
    yield _devices()
    yield Check("cores", "ok", _cores(torch.get_num_threads()))


def disk(places: Places) -> Iterator[Check]:
    """Check that results can be written where they are meant to be."""
    store = places.store.absolute()
    try:
        folder = existing(store)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        remedy = "choose another folder with --store or $BENCHMARK_STORE"
        yield Check("store", "fail", f"{store} cannot be written: {error.strerror}", remedy)
        return
    yield Check("store", "ok", f"{store}" + ("" if folder == store else " (made by the first run)"))
    free = shutil.disk_usage(folder).free
    status: Status = "ok" if free >= ENOUGH_DISK else "warn" if free >= LITTLE_DISK else "fail"
    remedy = "" if status == "ok" else "free some space, or choose another disk with --store"
    yield Check("disk", status, f"{free / 1e9:.1f} GB free at the store", remedy)
    yield Check("results", "ok", f"tables and plots go to {store.parent / 'results'} (--out)")


def mlflow(places: Places) -> Iterator[Check]:
    """Check that MLflow answers. It never stops a run, so that the worst is a warning."""
    from benchmark.tracking import connect, public, reason, sqlite_file, tracking_uri

    uri = places.uri or tracking_uri(places.store)
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        try:
            with tempfile.TemporaryFile(dir=existing(file.parent.absolute())):
                yield Check("MLflow", "ok", f"{public(uri)} (made by the first run)")
                return
        except OSError as error:
            yield Check("MLflow", "warn", f"{public(uri)} cannot be written: {error.strerror}", _OTHER_URI)
            return
    try:
        connect(uri)
    except Exception as error:  # whatever MLflow, its database or the network raise
        yield Check("MLflow", "warn", f"{public(uri)}: {reason(error)}", _OTHER_URI)
        return
    yield Check("MLflow", "ok", public(uri))


def data(places: Places) -> Iterator[Check]:
    """Check which datasets are found. Only the embedded one and the one asked for must be."""
    from benchmark.datasets import describe
    from benchmark.split_files import datasets

    for name in dict.fromkeys((*datasets(), *([places.dataset] if places.dataset else []))):
        asked_for = name == places.dataset
        try:
            info = describe(name, places.data_root if asked_for else None)
        except BenchmarkError as error:
            status: Status = "fail" if asked_for or name == "mini" else "warn"
            yield Check(f"data {name}", status, "not usable here", str(error))
        else:
            found = f"{len(info.classes)} classes, {info.train} training and {info.test} test images"
            found += f"; only {info.partial}" if info.partial else ""
            yield Check(f"data {name}", "ok", found)


def extras(_: Places) -> Iterator[Check]:
    """Say which optional helpers are there; the lack of one is no fault."""
    for name, here, purpose in (
        ("detectron2", _importable("detectron2"), "cross-checks with the released code"),
        ("pydensecrf", _importable("pydensecrf"), "the dense CRF of weakly supervised baselines; extra [crf]"),
        ("h5py", _importable("h5py"), "`data prepare` of COCO-Stuff-10K v1.0; extra [data]"),
        ("pdflatex", shutil.which("pdflatex"), "typesetting LaTeX tables"),
        ("sbatch", shutil.which("sbatch"), "running on a Slurm cluster"),
    ):
        yield Check(name, "ok", f"{here}" if here else f"not here; only needed for {purpose}")


def methods(_: Places) -> Iterator[Check]:
    """Check that every installed method loads, and say which package brings it."""
    from benchmark.registry import GROUP
    from benchmark.registry import methods as installed_methods

    try:
        known = installed_methods()
    except BenchmarkError as error:
        yield Check("methods", "fail", "not all of them load", str(error))
        return
    if not known:
        yield Check("methods", "fail", "none installed", "pip install -e . in the benchmark's folder")
    origins = {point.name: point for point in entry_points(group=GROUP)}
    for name, method in sorted(known.items()):
        point = origins.get(name)
        package = f" from {point.dist.name} {point.dist.version}" if point and point.dist else ""
        yield Check(f"method {name}", "ok", f"{method.title}{package}")


def arithmetic(_: Places) -> Iterator[Check]:
    """Check whether trainings give the published bits. Others are no fault, but then other numbers are none either."""
    from benchmark.arithmetic import facts
    from benchmark.provenance import package_versions
    from benchmark.reproduction import digests

    found = []
    for trained in digests():
        found.append(trained)
        detail = "as published" if trained.same else f"published: {trained.published or 'none'}"
        yield Check(trained.name, "ok" if trained.same else "warn", f"{trained.digest}, {detail}")
    here = facts()
    machine = f"{here['cpu']}; {here['level']} arithmetic ({here['capability']}); torch {package_versions()['torch']}"
    same = sum(trained.same for trained in found)
    if same == len(found):
        yield Check(
            "arithmetic", "ok", f"{machine}: all {same} kinds of training as published, so tables should be too"
        )
        return
    remedy = (
        "install the versions of constraints.txt"
        if here["level"] == "portable"
        else "leave out --arithmetic machine; without AVX2 there is no way"
    )
    yield Check("arithmetic", "warn", f"{machine}: {same} of {len(found)} kinds of training as published", remedy)


CHECKS: tuple[Callable[[Places], Iterator[Check]], ...] = (
    python,
    packages,
    code,
    torch,
    disk,
    mlflow,
    data,
    extras,
    methods,
)

_OTHER_URI = "runs go on without it; mend it or set MLFLOW_TRACKING_URI, then `python -m benchmark sync`"


def installed(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _devices() -> Check:
    from torch.cuda import device_count, get_device_properties

    found = [get_device_properties(number) for number in range(device_count())]
    names = [f"cuda:{i} {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for i, gpu in enumerate(found)]
    return Check(
        "devices", "ok", "; ".join(names) or "cpu only: fit for the profiles mini and smoke; paper wants a GPU"
    )


def _cores(threads: int) -> str:
    from benchmark.execute.machine import available_cores

    limit = os.environ.get("OMP_NUM_THREADS")
    found = f"{available_cores()} usable of {os.cpu_count()}, torch uses {threads} threads"
    return found + (f" (OMP_NUM_THREADS={limit})" if limit else "")


def _importable(module: str) -> str | None:
    found = importlib.util.find_spec(module)
    return None if found is None else found.origin or module
