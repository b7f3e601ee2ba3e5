"""What other services' events mean to technologies: platforms that may be linked."""

from kernel.consumer import Reaction, remembered
from luoshu.journal.v1.journal_pb2 import JournalEntry
from luoshu.platforms.v1 import platforms_pb2 as platforms


def on_platforms(entry: JournalEntry) -> Reaction:
    """Remember the platform."""
    event = platforms.PlatformsEvent.FromString(entry.event)
    if not event.HasField("platform"):
        return Reaction()
    return remembered(entry, event.change, event.platform)
