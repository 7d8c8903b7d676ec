"""What is shown of results: tables first as plain data, so that the terminal and files show the same."""

from nas.report.table import Table, plural

__all__ = ["Table", "plural"]
