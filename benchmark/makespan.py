"""How long a DAG of stages takes on N workers."""

import heapq
from collections.abc import Mapping, Sequence

from benchmark.stage import Stage


def urgency(stages: Sequence[Stage]) -> dict[str, float]:
    """Return key -> cost of the longest chain from a stage to an end: what is on it must not wait.

    ``stages`` must be in topological order; inputs outside of it are taken as done.
    """
    found = {stage.key: stage.cost for stage in stages}
    after: dict[str, float] = dict.fromkeys(found, 0.0)
    for stage in reversed(stages):
        found[stage.key] = stage.cost + after[stage.key]
        for parent in stage.inputs.values():
            if parent.key in after:
                after[parent.key] = max(after[parent.key], found[stage.key])
    return found


def wall_seconds(stages: Sequence[Stage], workers: int, cost: Mapping[str, float] | None = None) -> float:
    """Return the time until the last stage ends when the most urgent ready stage goes first.

    Args:
        stages: what is to be made, in topological order; inputs outside of it are taken as done.
        workers: stages that run side by side, at least one.
        cost: key -> seconds where they differ from the stage's own estimate.
    """
    costs = {stage.key: stage.cost for stage in stages} | dict(cost or {})
    waits = {stage.key: {one.key for one in stage.inputs.values() if one.key in costs} for stage in stages}
    users: dict[str, list[str]] = {}
    for key, parents in waits.items():
        for parent in parents:
            users.setdefault(parent, []).append(key)
    priority = urgency(stages)
    ready = [(-priority[key], key) for key, parents in waits.items() if not parents]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            _, key = heapq.heappop(ready)
            heapq.heappush(running, (now + costs[key], key))
        now, done = heapq.heappop(running)
        for user in users.get(done, ()):
            waits[user].discard(done)
            if not waits[user]:
                heapq.heappush(ready, (-priority[user], user))
    return now
