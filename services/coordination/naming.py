"""What reviews are called."""

import hashlib


def review_name(subject: str, round_: int) -> str:
    """Return the name of a subject's review: the same whoever asks, one a round."""
    said = f"{subject} {round_}".encode()
    return f"reviews/r{hashlib.sha256(said).hexdigest()[:20]}"
