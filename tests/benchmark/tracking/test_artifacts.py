"""Where the files of runs go."""

import pytest

from benchmark.tracking.artifacts import of_experiment, of_run

DIRECT, SERVER = "sqlite:////data/mlflow/mlflow.db", "http://login1:5000"
MINI = "weak-shot segmentation, mini"
MADE_DIRECTLY = "file:///data/mlflow/artifacts/weak-shot_segmentation__mini/12ab/artifacts"


def test_experiment_has_a_folder_beside_the_database_or_what_the_server_says() -> None:
    assert of_experiment(DIRECT, MINI) == "file:///data/mlflow/artifacts/weak-shot_segmentation__mini"
    assert of_experiment(SERVER, MINI) is None
    assert of_experiment("postgresql://host/db", MINI) is None


@pytest.mark.parametrize(
    ("uri", "location", "expected"),
    [
        (DIRECT, MADE_DIRECTLY, MADE_DIRECTLY),
        (DIRECT, "mlflow-artifacts:/1/12ab/artifacts", "file:///data/mlflow/artifacts/1/12ab/artifacts"),
        (SERVER, "mlflow-artifacts:/1/12ab/artifacts", "mlflow-artifacts:/1/12ab/artifacts"),
        # This machine may have another folder of that name, or none.
        (SERVER, MADE_DIRECTLY, "mlflow-artifacts:/weak-shot_segmentation__mini/12ab/artifacts"),
        # Not ours: somebody's server, whose clients share a folder or have access to a bucket.
        (SERVER, "file:///lab/mlflow/artifacts/7/12ab/artifacts", "file:///lab/mlflow/artifacts/7/12ab/artifacts"),
        (SERVER, "s3://bucket/7/12ab/artifacts", "s3://bucket/7/12ab/artifacts"),
        ("postgresql://host/db", MADE_DIRECTLY, MADE_DIRECTLY),
    ],
)
def test_who_writes_directly_and_who_talks_to_the_server_mean_the_same_folder(
    uri: str, location: str, expected: str
) -> None:
    assert of_run(location, MINI, uri) == expected
