import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.execute.cluster.arrange import Batch, TeamLayout, arrange, layout_of
from benchmark.execute.cluster.cluster_file import ClusterFile, ResourceClass, cluster_file_of
from benchmark.execute.messages import Job


def job(key: str, kind: str = "train", *inputs: str, cost: float = 1.0, shares: int = 1) -> Job:
    return Job(
        key=key,
        kind=kind,
        name=key,
        function="m:f",
        version=1,
        params={},
        inputs={str(number): parent for number, parent in enumerate(inputs)},
        access="training",
        cost=cost,
        cells=[],
        store="",
        sources={},
        data_root=None,
        shares=shares,
    )


def cluster(**classes: Any) -> ClusterFile:
    return cluster_file_of({"resources": {"default": {"time": "01:00:00"}, **classes}}, "p.yaml")


def keys(batches: Sequence[Batch]) -> list[list[str]]:
    return [[job.key for job in batch.jobs] for batch in batches]


def test_stages_of_one_class_and_level_share_an_array_that_waits_for_its_inputs_only() -> None:
    jobs = [
        job("pretrain", "pretrain"),
        job("a", "train", "pretrain"),
        job("ra", "retrain", "a"),
        job("b", "train"),
        job("ea", "evaluate", "ra"),
        job("eb", "evaluate", "b"),
    ]
    batches = arrange(jobs, cluster(train={}, retrain={}, evaluate={}), 1001)
    assert keys(batches) == [["pretrain"], ["b"], ["a"], ["eb"], ["ra"], ["ea"]]
    assert [batch.resources for batch in batches] == ["default", "train", "train", "evaluate", "retrain", "evaluate"]
    assert [batch.after for batch in batches] == [(), (), (0,), (1,), (2,), (4,)]
    assert [batch.parallel for batch in batches] == [None] * 6


def test_kinds_without_a_class_of_their_own_share_the_arrays_of_default() -> None:
    batches = arrange([job("a", "train"), job("b", "pretrain"), job("c", "evaluate", "a", "b")], cluster(), 1001)
    assert keys(batches) == [["a", "b"], ["c"]]
    assert batches[1].after == (0,)


def test_an_array_is_cut_where_slurm_takes_no_more_and_users_wait_for_their_own_piece() -> None:
    trains = [job(f"t{n}") for n in range(7)]
    evaluations = [job(f"e{n}", "evaluate", f"t{n}") for n in reversed(range(7))]
    batches = arrange([*trains, *evaluations], cluster(train={}, evaluate={}), 4)
    assert [len(batch.jobs) for batch in batches] == [3, 4, 3, 4]
    assert keys(batches)[0] == ["t0", "t1", "t2"]
    assert set(keys(batches)[2]) == {"e0", "e1", "e2"}
    assert [batch.after for batch in batches] == [(), (), (0,), (1,)]


def test_long_stages_go_first() -> None:
    batches = arrange([job("a", cost=1), job("b", cost=3), job("c", cost=2)], cluster(), 1001)
    assert keys(batches) == [["b", "c", "a"]]


def test_twenty_cells_in_arrays_of_five_with_a_limit_of_two() -> None:
    batches = arrange([job(f"t{n:02}") for n in range(20)], cluster(train={"max_running": 2}), 5)
    assert [len(batch.jobs) for batch in batches] == [5] * 4
    assert [batch.parallel for batch in batches] == [1, 1, 1, 1]
    assert [batch.after for batch in batches] == [(), (), (0,), (1,)]


def test_the_limits_of_lanes_add_up() -> None:
    batches = arrange([job(f"t{n:02}") for n in range(20)], cluster(train={"max_running": 7}), 7)
    assert [batch.parallel for batch in batches] == [3, 2, 2]
    assert [batch.after for batch in batches] == [(), (), ()]
    one = arrange([job(f"t{n:02}") for n in range(20)], cluster(train={"max_running": 7}), 1001)
    assert [batch.parallel for batch in one] == [7]


def test_a_limited_class_has_its_whole_limit_on_every_level() -> None:
    jobs = [job("a"), *(job(f"b{n}", "train", "a") for n in range(6))]
    first, *rest = arrange(jobs, cluster(train={"max_running": 4}), 3)
    assert (first.parallel, [batch.parallel for batch in rest]) == (4, [2, 2])
    assert [batch.after for batch in rest] == [(0,), (0,)]


def test_jobs_of_others_are_waited_for() -> None:
    jobs = [job("a", "train", "there"), job("b", "train", "done"), job("c", "evaluate", "a", "there", "elsewhere")]
    batches = arrange(jobs, cluster(train={}, evaluate={}), 1001, {"there": "12_3", "elsewhere": "14", "unused": "15"})
    assert [batch.after_jobs for batch in batches] == [("12_3",), ("12_3", "14")]


@pytest.mark.parametrize(
    ("shares", "layout"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (1, 4)), (5, (1, 1)), (6, (2, 3)), (8, (2, 4))]
)
def test_a_team_is_as_large_as_the_class_allows_and_the_stage_can_be_divided(
    shares: int, layout: tuple[int, int]
) -> None:
    assert layout_of(ResourceClass("01:00:00", processes=4, nodes=2), shares) == TeamLayout(*layout)


def test_stages_that_need_other_teams_are_in_other_arrays_under_one_limit() -> None:
    classes = cluster(train={"processes": 2, "max_running": 3})
    batches = arrange([job("a", shares=2), job("b"), job("c", shares=4)], classes, 1001)
    assert keys(batches) == [["a", "c"], ["b"]]
    assert [batch.layout for batch in batches] == [TeamLayout(1, 2), TeamLayout(1, 1)]
    assert [batch.parallel for batch in batches] == [2, 1]


def test_nothing_gives_no_arrays() -> None:
    assert arrange([], cluster(), 1001) == ()


class Simulation:
    """Slurm as far as it matters here: an array may start when those before it have ended, so many of it at a time."""

    def __init__(self, batches: Sequence[Batch], seed: int) -> None:
        self._batches, self._draw = batches, random.Random(seed)
        self._waiting = {number: [job.key for job in batch.jobs] for number, batch in enumerate(batches)}
        self._running: list[tuple[int, str]] = []
        self.done: list[str] = []
        self.most: Counter[str] = Counter()
        self.inputs = {job.key: set(job.inputs.values()) for batch in batches for job in batch.jobs}

    def run(self) -> None:
        while any(self._waiting.values()) or self._running:
            while startable := [number for number in self._waiting if self._may_start(number)]:
                number = self._draw.choice(startable)
                key = self._waiting[number].pop(0)
                assert self.inputs[key] <= set(self.done)
                self._running.append((number, key))
                self._count()
            assert self._running, "the arrays wait for each other"
            self._running.sort()
            self.done.append(self._running.pop(self._draw.randrange(len(self._running)))[1])

    def _may_start(self, number: int) -> bool:
        batch, own = self._batches[number], sum(one == number for one, _ in self._running)
        free = bool(self._waiting[number]) and (batch.parallel is None or own < batch.parallel)
        return free and all({job.key for job in self._batches[one].jobs} <= set(self.done) for one in batch.after)

    def _count(self) -> None:
        for name, count in Counter(self._batches[number].resources for number, _ in self._running).items():
            self.most[name] = max(self.most[name], count)


@given(
    links=st.lists(st.tuples(st.sampled_from("abc"), st.sets(st.integers(0, 24), max_size=2)), max_size=25),
    limits=st.tuples(*[st.none() | st.integers(1, 4)] * 3),
    largest=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_every_stage_is_made_once_after_its_inputs_and_no_limit_is_exceeded(
    links: list[tuple[str, set[int]]], limits: tuple[int | None, ...], largest: int, seed: int
) -> None:
    jobs = [
        job(str(n), kind, *(str(parent) for parent in parents if parent < n), cost=n % 3)
        for n, (kind, parents) in enumerate(links)
    ]
    classes = {name: {"max_running": limit} for name, limit in zip("abc", limits, strict=True)}
    batches = arrange(jobs, cluster(**classes), largest)
    assert all(len(batch.jobs) <= largest for batch in batches)
    assert all(earlier < number for number, batch in enumerate(batches) for earlier in batch.after)
    simulation = Simulation(batches, seed)
    simulation.run()
    assert sorted(simulation.done) == sorted(job.key for job in jobs)
    for name, limit in zip("abc", limits, strict=True):
        assert limit is None or simulation.most[name] <= limit
