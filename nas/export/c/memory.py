"""One buffer for all results: who lies where, so that it is no larger than what must be there at once.

Whatever is kept lies in one of two stacks, which begin at the front and at the back of the buffer and grow towards each
other, so that what is free is in one piece. A stack is in order if whoever lies above ends no later than those below.
So two that overlap in time, where the one that begins first ends first, lie in different stacks; that is all there is
to obey, and stacks are given out as one colours a graph with two colours (two stacks sort what such a graph allows:
Even and Itai 1971, "Queues, Stacks and Graphs"). In a chain they take turns. What a block keeps lies below what its
body computes, and blocks lie in each other as stacks do, so that two colours do, to any depth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Request(NamedTuple):
    """What one step needs. `sources`: the steps whose results it reads, by number; below 0 it is not in the buffer.

    `size`: bytes of its result, 0 for one that is not in the buffer. `scratch`: bytes only while it is computed.
    `in_place`: the result can be written over a source of its size that nobody reads afterwards. `grows`: over its last
    source, if that is the lowest or the highest part of its place.
    """

    sources: tuple[int, ...]
    size: int
    scratch: int = 0
    in_place: bool = False
    grows: bool = False


class Plan(NamedTuple):
    """`size` of the buffer in bytes, which is the most that is needed at once, each result in a place of its own.

    For each step where its result begins, and its scratch; None where there is none.
    """

    size: int
    places: tuple[int | None, ...]
    scratches: tuple[int | None, ...]


@dataclass(eq=False)
class _Place:
    """A piece of the buffer, for one result or for several, each written over the one before: by step, the sizes."""

    sizes: dict[int, int]
    ends: int = 0  # the last step that reads it
    at_back: bool = False

    @property
    def begins(self) -> int:
        return next(iter(self.sizes))

    def size_at(self, step: int) -> int:
        return next(size for begun, size in reversed(self.sizes.items()) if begun <= step)


def plan(requests: Sequence[Request]) -> Plan:
    """A place for every result."""
    growing: set[int] = set()
    while True:
        places = _places(requests, growing)
        distinct = list(dict.fromkeys(place for place in places if place is not None))
        clash = _colour(distinct)
        if clash is None:
            return _laid_out(requests, places, distinct, growing)
        if clash.begins in growing or not requests[clash.begins].grows:
            raise AssertionError(f"two stacks do not hold what step {clash.begins} makes")
        growing.add(clash.begins)


def _places(requests: Sequence[Request], growing: set[int]) -> list[_Place | None]:
    """Which results share a place: those of steps in place, and those of `growing` ones with their last source's."""
    last_read = {source: step for step, request in enumerate(requests) for source in request.sources}
    places: list[_Place | None] = []
    for step, request in enumerate(requests):
        over = _overwritten(requests, places, last_read, step, grows=step in growing)
        place = None
        if request.size:
            place = over or _Place({})
            place.sizes[step] = request.size
            place.ends = last_read.get(step, step)
        places.append(place)
    return places


def _overwritten(
    requests: Sequence[Request], places: Sequence[_Place | None], last_read: dict[int, int], step: int, *, grows: bool
) -> _Place | None:
    """The place that a result takes over: of those that may be, the one that began first, since it lies lowest."""
    request = requests[step]
    if grows:
        candidates = request.sources[-1:]
    else:
        candidates = tuple(s for s in request.sources if request.in_place and requests[s].size == request.size)
    ending = (places[source] for source in candidates if source >= 0 and last_read[source] == step)
    return min((place for place in ending if place is not None), key=lambda place: place.begins, default=None)


def _colour(places: Sequence[_Place]) -> _Place | None:
    """Gives each place a stack; returns the first one for which there is none, if any. They are in order of beginning.

    A group is of those that decide each other; where two become one, the younger one is turned round if need be.
    """
    groups: dict[_Place, list[_Place]] = {}
    for n, place in enumerate(places):
        groups[place] = [place]
        for other in places[:n]:
            if not place.begins <= other.ends < place.ends:
                continue  # one ends before the other begins, or lies on it
            if groups[other] is not groups[place]:
                older, younger = sorted((groups[other], groups[place]), key=lambda group: group[0].begins)
                turned = other.at_back == place.at_back
                for each in younger:
                    each.at_back ^= turned
                    groups[each] = older
                older += younger
            elif other.at_back == place.at_back:
                return place
    return None


def _laid_out(
    requests: Sequence[Request], places: Sequence[_Place | None], distinct: Sequence[_Place], growing: set[int]
) -> Plan:
    alive = [[place for place in distinct if place.begins <= step <= place.ends] for step in range(len(requests))]
    needed = [_total(alive[step], step) + request.scratch for step, request in enumerate(requests)]
    for step in growing:  # what lies over its source is counted as if it did not, and as the cost model does
        needed[step] += requests[requests[step].sources[-1]].size
    size = max(needed, default=0)
    in_front = [_total([place for place in alive[step] if not place.at_back], step) for step in range(len(requests))]
    return Plan(
        size,
        tuple(None if place is None else _start(place, alive[step], step, size) for step, place in enumerate(places)),
        tuple(at if request.scratch else None for at, request in zip(in_front, requests, strict=True)),
    )


def _total(places: Iterable[_Place], step: int) -> int:
    return sum(place.size_at(step) for place in places)


def _start(place: _Place, alive: Sequence[_Place], step: int, size: int) -> int:
    below = _total((each for each in alive if each.at_back == place.at_back and each.begins < place.begins), step)
    return size - below - place.size_at(step) if place.at_back else below
