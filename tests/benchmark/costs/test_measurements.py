"""The file of measurements."""

from pathlib import Path

import pytest

from benchmark.costs.measurements import keep, measurements_file, read_measurements
from benchmark.errors import BenchmarkError
from benchmark.store import Store
from tests.benchmark.costs.support import measured, training


def test_it_lies_beside_the_store_and_comes_back_as_it_went(tmp_path: Path) -> None:
    path = measurements_file(Store(tmp_path / "a" / "store"))
    assert path == tmp_path / "a" / "speed.json"
    assert read_measurements(path) == ()
    one = measured(training(), hints={"workers": 2}, flops=1e12, commit="abc")
    keep(path, [one])
    assert read_measurements(path) == (one,)


def test_a_new_measurement_takes_the_place_of_the_old_one_of_its_kind_device_and_precision(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    keep(path, [measured(training()), measured(training({"rounding": 8})), measured(training({"size": 1}))])
    keep(path, [measured(training(), seconds=9.0), measured(training(), device="another", seconds=8.0)])
    assert [one.seconds for one in read_measurements(path)] == [9.0, 2.0, 2.0, 8.0]


def test_ratio_and_speed() -> None:
    one = measured(training(cost=200.0), seconds=0.5, units=1000, images=8)
    assert one.ratio == 2.5
    assert one.images_per_second == 16
    assert measured(training(), images=0).images_per_second is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "holds no measurements"),
        ('{"format": 2, "kinds": []}', "holds no measurements of format 1"),
        ('{"format": 1, "kinds": [{"signature": "a"}]}', "kind 0: function: "),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=message) as error:
        read_measurements(path)
    assert str(path) in str(error.value)
    assert "measure" in str(error.value)
