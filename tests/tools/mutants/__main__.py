"""Run the unit tests on a random sample of mutants, and print which of them nobody noticed."""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.tools.mutants.mutate import mutants
from tests.tools.mutants.run import PROJECT, Case, Tree

PACKAGES = ("aftercommit", "core", "content", "notifications", "audit")
GOALS = {"aftercommit": 95}
OTHER_GOAL = 90


def main() -> None:
    """Run as ``make mutants`` does."""
    options = parse()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    cases = sample(every_case(options.only), options.sample, seed)
    print(f"{len(cases)} mutants, SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as home:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(options.jobs):
            trees.put(Tree(Path(home, str(number)), options.database, options.seconds))
        check(trees, cases)
        with ThreadPoolExecutor(options.jobs) as pool:
            survived = [*pool.map(lambda case: run(trees, case), cases)]
    print(report(cases, survived))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=40, help="how many mutants (40)")
    parser.add_argument("--seed", type=int, help="makes the same choice again (a random one)")
    parser.add_argument("--only", default="", help="part of the modules' paths (all)")
    parser.add_argument("--database", default="postgres", help="as for the tests (postgres)")
    parser.add_argument("--jobs", type=int, default=2, help="how many are run at once (2)")
    parser.add_argument("--seconds", type=float, default=600, help="a run's time limit (600)")
    return parser.parse_args()


def every_case(only: str) -> list[Case]:
    """Return all mutants of the modules whose path has the text in it."""
    paths = [
        str(path.relative_to(PROJECT))
        for package in PACKAGES
        for path in sorted((PROJECT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    named = [path for path in paths if only in path]
    if not named:
        sys.exit(f"No module has {only!r} in its path, such as {paths[0]}.")
    return [Case(path, each) for path in named for each in mutants((PROJECT / path).read_text())]


def sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """Return so many of them, in no order; all if there aren't more."""
    return random.Random(seed).sample(cases, min(size, len(cases)))


def check(trees: "SimpleQueue[Tree]", cases: Sequence[Case]) -> None:
    """Exit if tests fail without a mutant: every mutant would seem to be noticed."""
    tree = trees.get()
    packages = sorted({case.package for case in cases})
    if not tree.passes(packages):
        sys.exit(f"The unit tests of {', '.join(packages)} fail as they are: mend them first.")
    trees.put(tree)


def run(trees: "SimpleQueue[Tree]", case: Case) -> bool:
    """Return whether the mutant survives, and say so."""
    tree = trees.get()
    try:
        survives = tree.survives(case)
    finally:
        trees.put(tree)
    verdict = "SURVIVED" if survives else "noticed "
    print(f"{verdict} {case.path}:{case.mutant.line} {case.mutant.what}", flush=True)
    return survives


def report(cases: Sequence[Case], survived: Sequence[bool]) -> str:
    """Return the score of each module and package, and the mutants that survived."""
    of = {"module": lambda case: case.path, "package": lambda case: case.package}
    lines = []
    for kind, name in of.items():
        total = Counter(map(name, cases))
        lost = Counter(name(case) for case, is_left in zip(cases, survived, strict=True) if is_left)
        lines += [f"\nNoticed by {kind}:"]
        for key, count in sorted(total.items()):
            goal = f" (goal {GOALS.get(key, OTHER_GOAL)}%)" if kind == "package" else ""
            rest = count - lost[key]
            lines.append(f"  {rest * 100 / count:5.1f}%  {rest:3} of {count:3}  {key}{goal}")
    lines.append(f"\nSurvived: {sum(survived)} of {len(cases)}")
    for case, is_left in zip(cases, survived, strict=True):
        if is_left:
            lines.append(f"  {case.path}:{case.mutant.line}  {case.mutant.what}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
