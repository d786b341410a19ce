"""Cells of RIB over the pictures."""

from functools import partial

from methods.rib import METHOD
from tests.methods.wsss import support

cell = partial(support.cell, METHOD)
plan = partial(support.plan, METHOD)
