"""Deadlines on PostgreSQL: what holds of a file holds there too."""

from collections.abc import Callable

import pytest

from tests.service.test_deadlines import (
    on_disk,
    test_a_corrected_calendar_moves_what_is_still_to_come_by_an_event_of_its_own,
    test_a_list_then_a_watch_from_its_position_tell_of_every_change_of_the_inbox_once,
    test_a_process_that_dies_before_or_after_the_commit_leaves_nothing_undone_and_nothing_twice,
    test_after_weeks_away_what_was_due_happens_once_at_the_first_looks,
    test_two_processes_that_look_at_once_do_each_thing_once,
)

__all__ = [
    "on_disk",
    "test_a_corrected_calendar_moves_what_is_still_to_come_by_an_event_of_its_own",
    "test_a_list_then_a_watch_from_its_position_tell_of_every_change_of_the_inbox_once",
    "test_a_process_that_dies_before_or_after_the_commit_leaves_nothing_undone_and_nothing_twice",
    "test_after_weeks_away_what_was_due_happens_once_at_the_first_looks",
    "test_two_processes_that_look_at_once_do_each_thing_once",
]


@pytest.fixture
def address(database: Callable[[str], str]) -> str:
    return database("coordination")
