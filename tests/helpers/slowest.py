"""The slowest tests of the default run, held to the budget in pyproject.toml, so that the run stays short."""

from collections import Counter

COUNT = 20


class Slowest:
    """Collect the seconds of each test, with its setup and teardown."""

    def __init__(self, budget):
        self.budget = budget
        self.seconds = Counter()

    def add(self, test, seconds):
        self.seconds[test] += seconds

    def report(self):
        """Return lines that list the slowest tests if together they exceed the budget, and None otherwise."""
        slowest = self.seconds.most_common(COUNT)
        total = sum(seconds for _, seconds in slowest)
        if total <= self.budget:
            return None
        first = f"The slowest {COUNT} tests took {total:.0f} s; slowest_tests_budget (pyproject.toml) is {self.budget:.0f} s:"
        return [first, *(f"{seconds:6.1f} s  {test}" for test, seconds in slowest)]
