"""The budget of the default run's slowest tests."""

from slowest import COUNT, Slowest


def test_tests_within_the_budget_are_not_reported():
    slowest = Slowest(budget=COUNT * 2.0)
    for i in range(1000):
        slowest.add(f"test {i}", 2.0)
    assert slowest.report() is None


def test_tests_above_the_budget_are_listed_with_the_slowest_first():
    slowest = Slowest(budget=COUNT * 2.0)
    for i in range(1000):
        slowest.add(f"test {i}", 2.0)
    slowest.add("test 7", 5.0)  # its teardown
    first, second, *rest = slowest.report()
    assert first.startswith("The slowest 20 tests took 45 s; slowest_tests_budget (pyproject.toml) is 40 s:")
    assert second.split() == ["7.0", "s", "test", "7"]
    assert len(rest) == COUNT - 1
