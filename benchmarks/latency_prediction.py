"""How far off a latency is that is told from those of other networks, and what it says of that itself.

    python benchmarks/latency_prediction.py [--networks 40] [--on c]

Random candidates of each space for 20,000 parameters are exported as C and timed, as `nas search --for c --on ON` times
them. Those timed first then tell the others (`nas.deployment.screening`). With the median of all times as a limit, what
would have been rejected without being timed is counted, and what of that is not over the limit.
"""

import argparse
from collections.abc import Sequence
from itertools import islice
from statistics import median

from nas import Budget, Task
from nas.deployment.deployment import Deployment
from nas.deployment.screening import Features, features, predicted
from nas.export.formats import refused_by
from nas.space import finding
from nas.space.probing import random_candidates
from nas.statistics import Spread

SPACES = ("micro", "budget_fill", "documented")
MEASURED = (8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=40, help="of each space; the default is 40")
    parser.add_argument("--on", default="c", help="what times them: c, or a command")
    arguments = parser.parse_args()
    print("| space | measured | error it says | of the others, root mean square | median | largest | over the limit |")
    print("|---|---|---|---|---|---|---|")
    for name in SPACES:
        timings = timed(name, arguments.networks, Deployment("c", arguments.on))
        for n in MEASURED:
            if n < len(timings):
                print(row(name, n, timings), flush=True)


def timed(space: str, n: int, deployment: Deployment) -> list[tuple[Features, float]]:
    """Features and milliseconds of random candidates that C can have."""
    drawn = random_candidates(finding.load(space), Task((1, 28, 28), 10, 5, Budget(20_000)), 0)
    networks = (candidate.architecture for candidate, _ in drawn)
    able = islice((each for each in networks if refused_by(each, ("c",)) is None), n)
    return [(features(each), deployment.timing(each).median) for each in able]


def row(space: str, n: int, timings: Sequence[tuple[Features, float]]) -> str:
    limit = median(milliseconds for _, milliseconds in timings)
    told = [(predicted(of, timings[:n]), milliseconds) for of, milliseconds in timings[n:]]
    known = [(prediction, milliseconds) for prediction, milliseconds in told if prediction is not None]
    errors = [abs(prediction.milliseconds / milliseconds - 1) for prediction, milliseconds in known]
    rejected = [milliseconds for prediction, milliseconds in known if prediction.is_over(limit)]
    over, wrong = sum(t > limit for _, t in known), sum(t <= limit for t in rejected)
    mean_square = Spread(tuple(error**2 for error in errors)).mean ** 0.5
    shares = [f"{100 * each:.0f} %" for each in (known[0][0].error, mean_square, median(errors), max(errors))]
    decided = f"{over} of {len(known)}; {len(rejected)} rejected untimed, {wrong} wrongly"
    return f"| {space} | {n} | {' | '.join(shares)} | {decided} |"


if __name__ == "__main__":
    main()
