"""Finds the best small image classifier under a hard parameter budget."""

__version__ = "0.1.0"
