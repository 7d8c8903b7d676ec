"""How a database is named: by an SQLAlchemy URL, or by the path of an SQLite file."""

import re

from nas.study.folders import SQLITE

# SQLAlchemy's own choice for a plain URL is psycopg2, and `postgres` it does not take at all, though libpq does.
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
HIDDEN = "***"


def full_url(storage: str) -> str:
    """The SQLAlchemy URL, with psycopg as the driver of PostgreSQL unless it names one."""
    scheme, separator, rest = storage.partition("://")
    return f"{DRIVERS.get(scheme, scheme)}://{rest}" if separator else f"{SQLITE}{storage}"


def without_password(storage: str) -> str:
    """As it was written, fit for a screen; of what is no URL at all, more may be hidden than had to be."""
    import sqlalchemy  # options are read, and a TAB answered, without it

    try:
        parsed = sqlalchemy.engine.make_url(full_url(storage))
        # An @ that should have been written as %40 ends a password, but not the secret.
        password = "[^@]*(?:@[^/?]*)?" if parsed.password is not None else None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        password = ".*"
    if password is not None:
        storage = re.sub(rf"(://[^:/@]*:){password}@", rf"\g<1>{HIDDEN}@", storage, count=1)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", rf"\g<1>{HIDDEN}", storage)
