"""What an archive holds, in words: for its ``README.txt``, and for who imports it."""

from benchmark.sharing.description import ArchiveManifest, Description, commits
from benchmark.wording import enumerated, plural

README = """\
Results of the weak-shot semantic segmentation benchmark
========================================================

{facts}

run.json          what was run: data, splits, settings, seeds, tables, and every stage with its parameters,
                  inputs, times and versions. The name of a stage is the SHA-256 of its function, version,
                  access, parameters and inputs.
counts/KEY.npz    what came out, one file for the evaluation with that key: arrays of NumPy. "image_ids" has n
                  names; "intersection", "prediction" and "ground_truth" have the pixels of each of n test images
                  (rows) and K classes (columns, named in run.json), ignored pixels left out;
                  "prediction_on_ignored" has these. The IoU of a class is
                  intersection / (prediction + ground_truth - intersection), each summed over the images.
SHA256SUMS        checksums of all these files

To check the files:                        sha256sum -c SHA256SUMS
To put the run beside your own results:    python -m benchmark import FILE.zip --as NAME
To add its evaluations to your results:    python -m benchmark import FILE.zip --merge
"""


def readme(manifest: ArchiveManifest) -> str:
    """Return the content of ``README.txt``."""
    return README.format(facts="\n".join(facts(manifest)))


def facts(manifest: ArchiveManifest) -> list[str]:
    """Return what was run, when, by whom and with which code, a line each."""
    run = manifest.run
    by = f" by {manifest.by}" if manifest.by else ""
    return [
        f"{selection(run)}: {progress(run)}",
        f"exported{by} at {manifest.created} with version {manifest.software}, evaluator version {manifest.evaluator}",
        f"made by commit {', '.join(_commits(run)) or 'unknown'}",
    ]


def selection(run: Description) -> str:
    """Return ``mini, profile smoke, preset paper, seeds 0, 1; tables 2, 3``."""
    changed = f"; changed {', '.join(run.overrides)}" if run.overrides else ""
    return (
        f"{run.dataset.name}, profile {run.profile.name}, preset {run.preset}, {enumerated('seed', run.seeds)}; "
        f"{enumerated('table', (table.name for table in run.tables))}{changed}"
    )


def progress(run: Description) -> str:
    """Return ``12 of 24 cells finished, 12 evaluations``."""
    evaluations = set(run.evaluations)
    done = sum(cell.stage in evaluations for cell in run.cells)
    return f"{done} of {plural(len(run.cells), 'cell')} finished, {plural(len(evaluations), 'evaluation')}"


def _commits(run: Description) -> list[str]:
    """Return by which commits the evaluations were made."""
    records = (run.stages[key].record for key in run.evaluations)
    return commits(record.provenance for record in records if record)
