"""Groups of an application's states that its table of moves names."""

from services.funding.rules import A

UNDER_REVIEW = (
    A.STATE_ACCEPTED,
    A.STATE_FORMALLY_CHECKED,
    A.STATE_DUPLICATES_CHECKED,
    A.STATE_EXPERT_REVIEWED,
    A.STATE_JOINTLY_REVIEWED,
    A.STATE_IN_PUBLIC_NOTICE,
)
"""Taken and not decided. A joint review under way is concluded first: others work on it."""
RETRACTABLE = (
    A.STATE_DRAFT,
    A.STATE_SUBMITTED,
    A.STATE_RETURNED,
    A.STATE_RECOMMENDED,
    *UNDER_REVIEW[:-1],
)
RUNNING = (
    A.STATE_APPROVED,
    A.STATE_CONTRACTED,
    A.STATE_IN_PROGRESS,
    A.STATE_IN_ACCEPTANCE,
    A.STATE_ACCEPTANCE_FAILED,
)
"""Awarded, and the work is neither accepted nor ended."""
UNDER_CONTRACT = (*RUNNING[1:], A.STATE_COMPLETED, A.STATE_EVALUATED)
"""It may have been changed, and something may still be paid."""
AFTER_REVIEW = (
    A.STATE_JOINTLY_REVIEWED,
    A.STATE_IN_PUBLIC_NOTICE,
    A.STATE_APPROVED,
    *UNDER_CONTRACT,
)
"""The departments have agreed, and something may still be paid."""
JUDGED = (A.STATE_COMPLETED, A.STATE_ACCEPTANCE_FAILED)
ENDED = (A.STATE_COMPLETED, A.STATE_EVALUATED, A.STATE_CLOSED, A.STATE_TERMINATED)

# Where a rule of eligibility comes to be asked: there it may be set aside.
HELD_TO_RULES = (
    A.STATE_DRAFT,
    A.STATE_RETURNED,
    A.STATE_COMPLETING_IN_REVIEW,
    A.STATE_IN_PUBLIC_NOTICE,
    A.STATE_CONTRACTED,
    A.STATE_IN_PROGRESS,
    A.STATE_COMPLETED,
    A.STATE_EVALUATED,
)

# What is in public notice or awarded is published: everybody may see it.
PUBLIC = frozenset({A.STATE_IN_PUBLIC_NOTICE, *RUNNING, *ENDED, A.STATE_REVOKED})
