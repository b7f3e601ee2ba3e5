"""The joint review's way over Kafka: what holds of separate processes holds of them on the engines."""

from tests.flow.test_separate_processes import (
    test_a_joint_review_goes_on_when_one_of_its_services_was_dead,
    test_a_joint_review_travels_to_coordination_and_back,
    test_a_platform_that_no_owner_knows_is_not_found,
    test_with_the_owner_down_only_references_that_were_heard_of_are_taken,
)

__all__ = [
    "test_a_joint_review_goes_on_when_one_of_its_services_was_dead",
    "test_a_joint_review_travels_to_coordination_and_back",
    "test_a_platform_that_no_owner_knows_is_not_found",
    "test_with_the_owner_down_only_references_that_were_heard_of_are_taken",
]
