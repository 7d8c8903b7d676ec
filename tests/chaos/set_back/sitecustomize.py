"""In the PYTHONPATH of a process: its wall clock is set back by an hour, SET_BACK_AFTER seconds after it began."""

import datetime
import os
import time

_REAL, _BEGAN = time.time, time.monotonic()
_AFTER, _BY = float(os.environ["SET_BACK_AFTER"]), 3600.0


def _back() -> float:
    return _BY if time.monotonic() - _BEGAN > _AFTER else 0.0


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Datetime":
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def today(cls) -> "_Datetime":
        return cls.now()


time.time = lambda: _REAL() - _back()
time.time_ns = lambda: int(time.time() * 1e9)
datetime.datetime = _Datetime  # type: ignore[misc]
