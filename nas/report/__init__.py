"""A study as a page to read: figures first as plain data, so that they can be tested without a browser."""
