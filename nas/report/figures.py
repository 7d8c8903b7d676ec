"""What is known of a study to charts."""

from collections.abc import Iterable, Sequence

from nas.network.cost import COSTS
from nas.report.chart import Axis, Chart, Line, Mark, Trace, accuracy_axis, epoch_axis, size_axis, time_axis
from nas.report.curves import Curve
from nas.report.front import Front, Point, pareto
from nas.report.importance import Importance
from nas.report.progress import Moment
from nas.report.scale import Scale, scale_of
from nas.table import per_cent

N_AXES = 15  # bars of the importance, before the rest become one
FAR = 3  # times the size or the errors
ACCURACY = "validation accuracy"


def front_chart(front: Front, winner: int | None = None) -> Chart:
    """Accuracy against size: the front as a staircase, other finished candidates, the documented iterations that are
    not far off. `winner`: a trial of the only study; of two studies each has its own staircase. At least one candidate
    must have finished.
    """
    documented = [point for point in front.documented if _is_near(point, front)]
    shown = [*front.points, *documented]
    scale = scale_of(point.accuracy for point in shown)
    best_documented = set(pareto(front.documented))
    won = [point for point in front.points if point.label == f"trial {winner}"]
    names = list(dict.fromkeys(point.study for point in front.points))

    def joined(points: Sequence[Point]) -> tuple[Line]:
        return (Line(tuple((point.size, scale.error(point.accuracy)) for point in points), stepped=True),)

    of_each = [
        Trace(name, means, tuple(_mark(point, front, scale) for point in own), joined(pareto(own)))
        for name, means in zip(names, ("finished", "other"), strict=False)
        if (own := [point for point in front.points if point.study == name])
    ]
    of_all = Trace(
        "finished, the front joined",
        "finished",
        tuple(_mark(point, front, scale) for point in front.points if point not in won),
        joined(front.members),
    )
    traces = (
        Trace(
            "documented (best epoch, test set)",
            "documented",
            tuple(_mark(point, front, scale, point.label * (point in best_documented)) for point in documented),
        ),
        *(of_each if len(names) == 2 else [of_all]),
        Trace(f"trial {winner}, the winner", "winner", tuple(_mark(point, front, scale) for point in won)),
    )
    sizes = [point.size for point in shown] + ([] if front.limit is None else [front.limit])
    return _chart(size_axis(COSTS[front.by].noun, sizes), scale, traces, front.limit)


def curves_chart(curves: Sequence[Curve], winner: int | None) -> Chart | None:
    """Accuracy after each epoch. None where no training was long enough for a line."""
    longest = max((len(curve.accuracies) for curve in curves), default=0)
    if longest < 2:
        return None
    scale = scale_of(accuracy for curve in curves for accuracy in curve.accuracies)
    finished = [curve for curve in curves if curve.outcome == "finished"]
    groups = (
        ("stopped early, or not over yet", "stopped", [c for c in curves if c.outcome != "finished"]),
        ("finished", "finished", [c for c in finished if c.trial != winner]),
        (f"trial {winner}, the winner", "winner", [c for c in finished if c.trial == winner]),
    )
    traces = (
        Trace(name, means, tuple(_end(c, scale) for c in group), tuple(_line(c, scale) for c in group))
        for name, means, group in groups
    )
    return _chart(epoch_axis(longest), scale, traces)


def progress_chart(moments: Sequence[Moment], winner: int | None) -> Chart | None:
    """The best accuracy so far over the time spent training, with every training where it ended. None where nothing
    became of several trainings.
    """
    if len(moments) < 2 or not any(moment.finished for moment in moments):
        return None
    scale = scale_of(moment.accuracy for moment in moments)
    seconds, unit = _unit(moments[-1].seconds)
    best = Line(tuple((m.seconds / seconds, scale.error(m.best)) for m in moments if m.best is not None), stepped=True)
    finished = [moment for moment in moments if moment.finished]
    groups = (
        ("stopped early", "stopped", [moment for moment in moments if not moment.finished], ()),
        ("finished, the best so far joined", "finished", [m for m in finished if m.trial != winner], (best,)),
        (f"trial {winner}, the winner", "winner", [m for m in finished if m.trial == winner], ()),
    )
    traces = (
        Trace(name, means, tuple(_ended(m, seconds, unit, scale) for m in group), lines)
        for name, means, group, lines in groups
    )
    return _chart(time_axis(unit, moments[-1].seconds / seconds), scale, traces)


def bars(importances: Sequence[Importance]) -> list[Importance]:
    """The most important axes, and one for the rest together."""
    shown = [*importances[:N_AXES]]
    if rest := importances[N_AXES:]:
        shown.append(Importance(f"{len(rest)} others", sum(each.share for each in rest)))
    return shown


def _chart(x: Axis, scale: Scale, traces: Iterable[Trace], limit: float | None = None) -> Chart:
    shown = tuple(trace for trace in traces if trace.marks or any(line.points for line in trace.lines))
    return Chart(x, accuracy_axis(scale, ACCURACY), shown, limit)


def _is_near(point: Point, front: Front) -> bool:
    """Whether a documented iteration is not much larger or worse than what the studies have."""
    largest = max(*(each.size for each in front.points), front.limit or 0)
    most_errors = max(1 - each.accuracy for each in front.points)
    return point.size <= FAR * largest and 1 - point.accuracy <= FAR * most_errors


def _mark(point: Point, front: Front, scale: Scale, label: str = "") -> Mark:
    which = "test set, best epoch" if point in front.documented else "validation part"
    several = len({each.study for each in front.points}) > 1
    lines = [
        point.label,
        *([point.study] if several else []),
        f"{per_cent(point.accuracy)} ({which})",
        f"{COSTS[front.by].shown(point.size)} {COSTS[front.by].noun}",
        point.network,
    ]
    return Mark(point.size, scale.error(point.accuracy), "\n".join(lines), label)


def _line(curve: Curve, scale: Scale) -> Line:
    points = tuple((epoch, scale.error(accuracy)) for epoch, accuracy in enumerate(curve.accuracies, 1))
    return Line(points, _about(curve))


def _end(curve: Curve, scale: Scale) -> Mark:
    return Mark(len(curve.accuracies), scale.error(curve.accuracies[-1]), _about(curve))


def _about(curve: Curve) -> str:
    epochs = len(curve.accuracies)
    return f"trial {curve.trial}\n{per_cent(curve.accuracies[-1])} after epoch {epochs}\n{curve.params:,} parameters"


def _ended(moment: Moment, seconds: float, unit: str, scale: Scale) -> Mark:
    outcome = "finished" if moment.finished else "stopped early"
    when = moment.seconds / seconds
    text = f"trial {moment.trial}, {outcome}\n{per_cent(moment.accuracy)}\nafter {when:.1f} {unit}"
    return Mark(when, scale.error(moment.accuracy), text)


def _unit(longest: float) -> tuple[float, str]:
    """A unit of time that suits so many seconds."""
    return next(((s, name) for s, name in ((3600.0, "hours"), (60.0, "minutes")) if longest >= 3 * s), (1.0, "seconds"))
