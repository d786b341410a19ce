"""Figures of numbers: a table's plot, every class, and what colours and lines they share."""
