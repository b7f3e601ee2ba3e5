"""A bidding's days on PostgreSQL: what holds of a file holds there too."""

from collections.abc import Callable

import pytest

from tests.service.test_bidding_days import (
    test_a_process_that_dies_around_the_commit_ends_a_bidding_once,
    test_after_weeks_away_bidders_still_have_all_their_days_to_reveal,
    test_two_processes_end_a_bidding_and_its_opening_once,
    there,
)

__all__ = [
    "test_a_process_that_dies_around_the_commit_ends_a_bidding_once",
    "test_after_weeks_away_bidders_still_have_all_their_days_to_reveal",
    "test_two_processes_end_a_bidding_and_its_opening_once",
    "there",
]


@pytest.fixture
def address(database: Callable[[str], str]) -> str:
    return database("technologies")
