"""A table with everything that belongs to it, written into one folder: numbers, typeset forms, plot, provenance."""

import hashlib
import json
import re
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.files import canonical_json, naming, sync, sync_tree, write_json, write_text
from benchmark.metrics import EVALUATOR_VERSION
from benchmark.provenance import origin
from benchmark.report.claims.judge import Judgement, judge
from benchmark.report.claims.listing import as_csv as claims_as_csv
from benchmark.report.pictures.draw import picture
from benchmark.report.pictures.pages import PicturePage
from benchmark.report.plots.class_plot import plot_classes
from benchmark.report.plots.table_plot import plot
from benchmark.report.plots.theme import SUFFIXES
from benchmark.report.scores.classes import ClassPage
from benchmark.report.scores.estimates import CellEstimate, Results
from benchmark.report.tables import FORMS, CellSpec, RunResults, render
from benchmark.report.wording import WAY_OUT
from benchmark.sharing.replicates import provenances
from benchmark.splits import split_digest

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.store import Store
    from benchmark.tables import Table


def publish(plan: "Plan", table: "Table", store: "Store", out: Path) -> tuple[str, tuple[Path, ...]]:
    """Judge a table and write it as ``publish_judged`` does."""
    return publish_judged(judge(plan, table, store), store, out)


def publish_judged(
    judgement: Judgement, store: "Store", out: Path, spec: CellSpec | None = None, others: Sequence[RunResults] = ()
) -> tuple[str, tuple[Path, ...]]:
    """Write ``table<N>`` in every form, with plot and provenance (.json), into ``out``, its claims beside it.

    Returns the text for a terminal, and the paths of the files; both are empty without a selected cell.

    All files are finished before the first of them appears, each at once. ``spec`` and ``others`` are those of
    ``tables.render``. Raises BenchmarkError naming the path where the folder cannot be written.
    """
    results = judgement.results
    if not results.estimates:
        return "", ()
    with _drafts(out) as (draft, files):
        stem = draft / file_stem(results.table.name)
        for style, form in FORMS.items():
            if form.suffix:
                write_text(stem.with_name(stem.name + form.suffix), render(judgement, style, spec, others))
        _try_plot(results, stem)
        _write_claims(judgement, draft)
        write_json(stem.with_name(f"{stem.name}.json"), provenance(judgement, store))
    return render(judgement, "text", spec, others), tuple(files)


def _try_plot(results: Results, stem: Path) -> None:
    """Draw the plot; where that fails, but for the disk, a line on stderr is all that is lost beside it."""
    try:
        plot(results, stem)
    except OSError:
        raise
    except Exception as error:
        reason = traceback.format_exception_only(error)[-1].strip()
        click.echo(f"warning: table {results.table.name} is written without its plot: {reason}", err=True)
        for suffix in SUFFIXES:
            stem.with_name(f"{stem.name}.{suffix}").unlink(missing_ok=True)


def publish_claims(judgement: Judgement, out: Path) -> tuple[Path, ...]:
    """Write the verdicts on a table alone, ``table<N>-claims.csv``, under the conditions of ``publish``."""
    with _drafts(out) as (draft, files):
        _write_claims(judgement, draft)
    return tuple(files)


def _write_claims(judgement: Judgement, folder: Path) -> None:
    """Write ``table<N>-claims.csv`` where the table claims anything."""
    if judgement.cells or judgement.orderings:
        write_text(folder / f"{file_stem(judgement.results.table.name)}-claims.csv", claims_as_csv(judgement))


def publish_plot(results: Results, out: Path) -> tuple[Path, ...]:
    """Write the plot alone, ``table<N>.png`` and ``table<N>.pdf``, under the conditions of ``publish``."""
    with _drafts(out) as (draft, files):
        plot(results, draft / file_stem(results.table.name))
    return tuple(files)


def publish_classes(page: ClassPage, out: Path) -> tuple[Path, ...]:
    """Write a page of classes, ``table<N>-classes-<split>.png`` and ``.pdf``, under the conditions of ``publish``."""
    column = [] if page.alone else [page.column]
    with _drafts(out) as (draft, files):
        stem = "-".join([file_stem(page.results.table.name), "classes", page.split.name, *column])
        plot_classes(page, draft / _safe(stem))
    return tuple(files)


def publish_pictures(page: PicturePage, out: Path) -> tuple[Path, ...]:
    """Write a page of pictures, ``pictures-<table>-<split>.png`` and ``.pdf``, under the conditions of ``publish``.

    The name of a page of predictions begins with ``predictions``.
    """
    begin = "predictions" if page.kind == "predictions" else "pictures"
    names = (begin, page.table, page.split.name, page.row.replace("*", "-star"))
    with _drafts(out) as (draft, files):
        picture(page, draft / "-".join(_safe(name) for name in names if name))
    return tuple(files)


def file_stem(name: str) -> str:
    """Return ``table2`` for table ``2``, ``mcis-table1`` for ``mcis/1``, other names as they are.

    What is odd in a file name becomes a dash.
    """
    *paper, own = name.split("/")
    stem = _safe(own).lstrip(".-")
    return "-".join([*map(_safe, paper), stem if stem[:1].isalpha() else f"table{stem}"])


def provenance(judgement: Judgement, store: "Store") -> dict[str, Any]:
    """Return where every number of a table comes from, as JSON values; the numbers themselves unrounded."""
    keys = sorted(_finished_keys(judgement.results, store))
    made = [store.result(key)["provenance"] for key in keys]
    results = judgement.results
    return {
        "table": results.table.name,
        "title": results.table.title,
        "source_of_printed_values": results.table.source,
        "dataset": results.dataset.name,
        "dataset_digest": results.dataset.digest,
        "profile": results.profile,
        "preset": results.preset,
        "overrides": dict(results.overrides),
        "seeds": list(results.seeds),
        "splits": {split.name: split_digest(split) for split in results.splits.values()},
        "evaluator_version": EVALUATOR_VERSION,
        "comparable_with_printed_values": results.comparable,
        "git_commits": _distinct(made, "git_commit"),
        "git_dirty": any(one.get("git_dirty") for one in made),
        "python": _distinct(made, "python"),
        "packages": _distinct(made, "packages"),
        "devices": _distinct(made, "device"),
        "arithmetic": _distinct(made, "arithmetic"),
        "threads": _distinct(made, "threads"),
        "imported_from": sorted({origin(one) for one in made} - {""}),
        "replicates_from": sorted({origin(one) for key in keys for one in provenances(key, store)} - {""}),
        "cells": [_cell(cell) for cell in results],
        "orderings": [str(verdict) for verdict in judgement.orderings],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def _drafts(out: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield a folder for drafts and a list that holds the final paths afterwards; provenance moves into place last."""
    files: list[Path] = []
    with naming(out, WAY_OUT):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".drafts.", dir=out) as folder:
            draft = Path(folder)
            yield draft, files
            sync_tree(draft)
            for path in sorted(draft.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
                files.append(path.replace(out / path.name))
        sync(out)


def _safe(name: str) -> str:
    """Return a name as it may stand in a file's; one that has to change gets digits, so that no two become one."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _finished_keys(results: Results, store: "Store") -> set[str]:
    return {key for cell in results for key in cell.keys.values() if store.find(key)}


def _cell(cell: CellEstimate) -> dict[str, Any]:
    return {
        "row": cell.row,
        "column": cell.column,
        "status": cell.status,
        "novel_miou": cell.mean,
        "sd": cell.sd,
        "base_miou": cell.base,
        "miou": cell.overall,
        "paper": cell.paper,
        "delta": cell.delta,
        "seeds": {str(seed): scores._asdict() for seed, scores in cell.scores.items()},
        "stages": {str(seed): key for seed, key in cell.keys.items()},
        "replicates": {str(seed): [one._asdict() for one in several] for seed, several in cell.replicates.items()},
    }


def _distinct(records: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the different values of one field, in the order of their canonical JSON."""
    return [json.loads(text) for text in sorted({canonical_json(record.get(name)) for record in records})]
