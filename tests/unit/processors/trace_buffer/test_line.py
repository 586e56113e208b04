"""Who has the traces while processors follow each other."""

from __future__ import annotations

from processors.trace_buffer.line import Line, Lines


class One:
    def __init__(self) -> None:
        self.took: list[One] = []

    def take_over(self, predecessor: One) -> None:
        self.took.append(predecessor)


def line(count: int) -> tuple[Line[One], list[One]]:
    made, ones = Line[One](), [One() for _ in range(count)]
    for one in ones:
        made.enter(one)
    return made, ones


def test_a_successor_takes_over_with_its_first_data() -> None:
    made, (old, new) = line(2)
    assert made.at_work(old) is old
    assert made.at_work(new) is new
    assert new.took == [old]
    assert made.at_work(old) is new
    assert not made.leave(old)
    assert made.leave(new)


def test_or_when_its_predecessor_stops() -> None:
    made, (old, new) = line(2)
    assert not made.leave(old)
    assert new.took == [old]
    assert made.is_holder(new)


def test_a_failed_successor_gives_back() -> None:
    made, (old, new) = line(2)
    made.at_work(new)
    assert not made.leave(new)
    assert old.took == [new]
    assert made.at_work(old) is old
    assert made.leave(old)


def test_one_that_never_had_them_leaves_them_alone() -> None:
    made, (old, new) = line(2)
    assert not made.leave(new)
    assert not old.took
    assert made.leave(old)
    assert not made.leave(One())


def test_reloads_may_come_fast() -> None:
    made, (first, second, third) = line(3)
    assert made.at_work(third) is third
    assert made.at_work(second) is third
    assert not made.leave(first)
    assert not made.leave(second)
    assert third.took == [first]


def test_pipelines_have_lines_of_their_own() -> None:
    lines = Lines[One]()
    assert lines.of("traces/a") is lines.of("traces/a")
    assert lines.of("traces/a") is not lines.of("traces/b")
