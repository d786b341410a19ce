"""What a word on the command line means: a campaign, a stage by its key, or a job, or an array of them, by its name."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.execute.executors import KeptCampaign, campaigns, managers
from benchmark.store import KEY, Store, resolve_prefix

_CAMPAIGN = re.compile(r"\d{8}(-[0-9a-f-]*)?")
_JOB = re.compile(r"\d+(_\d+)?")


class Targets(NamedTuple):
    """What several words mean: campaigns, and keys of stages."""

    campaigns: list[KeptCampaign]
    keys: list[str]


def targets(store: Store, words: Sequence[str]) -> Targets:
    """Return what the words mean. Raises BenchmarkError for a word that means nothing, or several things."""
    known = campaigns(store)
    found: Targets = Targets([], [])
    for word in words:
        named = [one for one in known if one.campaign.id.startswith(word)] if _CAMPAIGN.fullmatch(word) else []
        if len(named) > 1:
            raise BenchmarkError(f"{word} begins several campaigns: {_ids(named)}; write more.")
        if named:
            found.campaigns.append(named[0])
        elif "-" in word:
            listed = _ids(known[-5:]) or "none"
            raise BenchmarkError(f"no campaign in store {store.root} begins with {word}; the last ones: {listed}.")
        else:
            found.keys.extend(stages_of(store, word, known))
    return found


def stage_of(store: Store, word: str, known: Sequence[KeptCampaign]) -> str:
    """Return the key of the one stage that a word means. Raises BenchmarkError where it is none or several."""
    keys = stages_of(store, word, known)
    if len(keys) > 1:
        shown = ", ".join(key[:12] for key in keys[:5])
        raise BenchmarkError(f"job {word} has {len(keys)} stages ({shown}); write {word}_0, {word}_1, ... or a key.")
    return keys[0]


def stages_of(store: Store, word: str, known: Sequence[KeptCampaign]) -> list[str]:
    """Return the stages that a word means: the beginning of a key, or the job, or the array, that makes or made them.

    Raises BenchmarkError where there is none, or where it could be either.
    """
    keys = {*store.keys(), *_worked_on(store), *(key for one in known for key in one.campaign.stages)}
    made = sorted(_made_by(store, word, keys)) if _JOB.fullmatch(word) else []
    begun = [key for key in keys if key.startswith(word)]
    if made and begun and made != begun:
        raise BenchmarkError(f"{word} is a job of stage {made[0][:12]} and begins key {begun[0][:12]}; write a key.")
    return made or [resolve_prefix(word, keys, f"store {store.root}")]


def _worked_on(store: Store) -> Iterator[str]:
    return (folder.name for folder in (store.root / "work").glob("*") if KEY.fullmatch(folder.name))


def _made_by(store: Store, job: str, keys: set[str]) -> Iterator[str]:
    """Yield the stages of a job: an element of an array, a single job, or a whole array by its number alone."""
    queues = managers(store).values()
    for key in keys:
        jobs = {*(record.get("job", "") for record in store.attempts(key)), *(queue.job(key) for queue in queues)}
        if job in jobs or any(one.startswith(f"{job}_") for one in jobs):
            yield key


def _ids(kept: Sequence[KeptCampaign]) -> str:
    return ", ".join(one.campaign.id for one in kept)
