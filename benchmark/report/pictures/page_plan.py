"""Which pages of pictures a plan amounts to, before any picture is read: images, and the stages that make maps of them.

Label maps of training images are made by stages of the plan. What networks predict for test images is not among them:
where an evaluation offers it (``Stage.maps``), a stage of its own writes it for the images of all pages together, so
that a network sees each of them once however many pages show it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from benchmark.errors import unknown
from benchmark.labels import label_stage, prediction_stage
from benchmark.stage import Stage

if TYPE_CHECKING:
    from benchmark.datasets import Dataset
    from benchmark.datasets.base import Part, Split
    from benchmark.plan import Plan, PlannedCell
    from benchmark.store import Store

Choice = int | tuple[str, ...]  # how many images, or their ids
Kind = Literal["labels", "predictions"]

MOST = 12  # columns of maps on a page, where it can be divided


class MapColumn(NamedTuple):
    """A column of maps: its title, the cell that they belong to, and the stage whose result they are."""

    title: str
    cell: "PlannedCell"
    stage: Stage


@dataclass(frozen=True)
class PagePlan:
    """A page as it is planned.

    Attributes:
        table: its name.
        split: what is novel.
        kind: label maps of training images, or predictions for test images.
        ids: of the images.
        columns: in the order of the table.
        row: label of the only row that is shown, where a table has a page a row.
    """

    table: str
    split: "Split"
    kind: Kind
    ids: tuple[str, ...]
    columns: tuple[MapColumn, ...]
    row: str = ""


def label_pages(plan: "Plan", dataset: "Dataset", choice: Choice) -> tuple[PagePlan, ...]:
    """Return a page for each table and split of a plan of which any row scores label maps; its first seed is shown.

    Raises BenchmarkError for an id that is no training image.
    """
    return tuple(_pages(plan, dataset, choice, "labels", label_stage))


def prediction_pages(plan: "Plan", dataset: "Dataset", choice: Choice) -> tuple[PagePlan, ...]:
    """Return a page for each table and split of a plan of which any row offers predictions; its first seed is shown.

    Raises BenchmarkError for an id that is no image of the part that is evaluated.
    """
    drafts = tuple(_pages(plan, dataset, choice, "predictions", _offering))
    wanted: dict[str, set[str]] = {}  # key of an evaluation -> ids of the images on all of its pages
    for page_plan in drafts:
        for column in page_plan.columns:
            wanted.setdefault(column.stage.key, set()).update(page_plan.ids)

    def predicting(column: MapColumn) -> MapColumn:
        found, ids = wanted[column.stage.key], dataset.ids(_part(column.stage))
        images = [one for one in ids if one in found]
        return column._replace(stage=prediction_stage(column.stage, images, len(images) / len(ids)))

    return tuple(replace(page_plan, columns=tuple(map(predicting, page_plan.columns))) for page_plan in drafts)


def to_predict(plan: "Plan", store: "Store", page_plans: Sequence[PagePlan]) -> "Plan":
    """Return the plan of the predictions on some pages for which a trained network is in the store."""
    columns = [column for page_plan in page_plans if page_plan.kind == "predictions" for column in page_plan.columns]
    ready = [column for column in columns if all(store.find(one) for one in column.stage.inputs.values())]
    return replace(plan, cells=tuple(replace(column.cell, stage=column.stage) for column in ready))


def chosen_images(dataset: "Dataset", novel: Sequence[int], choice: Choice, part: "Part" = "train") -> tuple[str, ...]:
    """Return the ids of the images to show.

    A number N means N places spread evenly over the images of the part, and from each on the next image, not taken yet,
    that shows a novel class, or any image where no class is novel: all such images where there are no more than N. Only
    masks that are passed are read. Raises BenchmarkError for an id that is not in the part.
    """
    ids = dataset.ids(part)
    if not isinstance(choice, int):
        for image_id in choice:
            if image_id not in ids:
                kind = "training image" if part == "train" else f"{part} image"
                raise unknown(kind, image_id, ids, f"dataset {dataset.info.name}")
        return choice
    tried: dict[int, bool] = {}  # place -> whether it shows a novel class and so was taken
    for i in range(choice):
        start = (2 * i + 1) * len(ids) // (2 * choice)
        for place in (*range(start, len(ids)), *range(start)):
            if place not in tried:
                tried[place] = not novel or bool(np.isin(dataset.mask(ids[place]), novel).any())
                if tried[place]:
                    break
    return tuple(ids[place] for place in sorted(tried) if tried[place])


def _pages(
    plan: "Plan", dataset: "Dataset", choice: Choice, kind: Kind, stage_of: Callable[[Stage], Stage | None]
) -> Iterator[PagePlan]:
    """Yield a page for each table and split, with a column for each cell of which there is a stage.

    A sweep on one split has several columns to a row, and their titles name both.
    """
    for table in plan.tables:
        cells = [cell for cell in plan.of(table.name) if cell.seed == plan.seeds[0]]
        for name in dict.fromkeys(cell.split for cell in cells if cell.split in plan.splits):
            of_split = [cell for cell in cells if cell.split == name]
            swept = len({cell.column for cell in of_split}) > 1
            found = [
                MapColumn(f"{cell.row}, {cell.column}" if swept else cell.row, cell, stage)
                for cell in of_split
                if cell.stage and (stage := stage_of(cell.stage))
            ]
            if found:
                part: Part = "train" if kind == "labels" else _part(found[0].stage)
                ids = chosen_images(dataset, plan.splits[name].novel, choice, part)
                for row, columns in _divided(found, swept=swept).items():
                    yield PagePlan(table.name, plan.splits[name], kind, ids, tuple(columns), row)


def _divided(columns: Sequence[MapColumn], *, swept: bool) -> Mapping[str, Sequence[MapColumn]]:
    """Return the columns of each page of a split: a sweep that has too many for one has a page a row."""
    if not swept or len(columns) <= MOST:
        return {"": columns}
    pages: dict[str, list[MapColumn]] = {}
    for column in columns:
        pages.setdefault(column.cell.row, []).append(column._replace(title=column.cell.column))
    return pages


def _offering(evaluation: Stage) -> Stage | None:
    return evaluation if evaluation.maps else None


def _part(evaluation: Stage) -> "Part":
    """Return which images an evaluation scores; all that say nothing score the test images."""
    part: Part = evaluation.params.get("part", "test")
    return part
