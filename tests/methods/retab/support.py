"""Cells of RETAB over the pictures."""

from functools import partial

from methods.retab import METHOD
from tests.methods.wsss import support

cell = partial(support.cell, METHOD)
plan = partial(support.plan, METHOD)
