"""Completion on the command line: what shells ask for, and what options and arguments take."""
