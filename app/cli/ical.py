"""Deadlines as a calendar file: the small part of RFC 5545 that an all-day entry needs, exactly."""

import datetime
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from app.cli.output import choice

MOST_OCTETS = 75
"""Of a line, without its end (RFC 5545, 3.1)."""
ONE_DAY = datetime.timedelta(days=1)


def calendar_of(items: Iterable[Any]) -> str:
    """Return the calendar of what has a last day: an entry each, on that day, with a reminder the day before."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Luoshu//Inbox//ZH", "CALSCALE:GREGORIAN"]
    for item in items:
        if item.due_date.year:
            lines += _event(item)
    return "".join(f"{fold(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _event(item: Any) -> Iterator[str]:
    due = datetime.date(item.due_date.year, item.due_date.month, item.due_date.day)
    stamp = item.update_time.ToDatetime(datetime.UTC)
    where = item.review.replace("/", "-")
    said = f"Subject 事项: {item.subject}\nLead 牵头: {item.lead_department}\n{item.command}"
    yield "BEGIN:VEVENT"
    yield f"UID:{where}-{item.department}-{_which(item)}@luoshu"
    yield f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{due:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{due + ONE_DAY:%Y%m%d}"
    yield f"SUMMARY:{escaped(f'{item.department} {_duty(item)}截止：{item.title}')}"
    yield f"DESCRIPTION:{escaped(said)}"
    yield f"STATUS:{'TENTATIVE' if item.due_provisional else 'CONFIRMED'}"
    yield "TRANSP:TRANSPARENT"
    yield from ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P1D")
    yield f"DESCRIPTION:{escaped(item.title)}"
    yield from ("END:VALARM", "END:VEVENT")


def _duty(item: Any) -> str:
    said = choice(item.DESCRIPTOR.fields_by_name["duty"], item.duty)
    return said.rpartition(" ")[2]


def _which(item: Any) -> str:
    """Return what tells an entry of one record from another: the condition, else a digest of what settles it."""
    if item.condition or not item.command or item.review.startswith("reviews/"):
        return str(item.condition)
    return hashlib.sha256(item.command.encode()).hexdigest()[:12]


def escaped(text: str) -> str:
    """Return a TEXT value (3.3.11): backslash, semicolon, comma and line ends escaped, other controls left out."""
    for char, written in (
        ("\\", "\\\\"),
        (";", "\\;"),
        (",", "\\,"),
        ("\r\n", "\n"),
        ("\n", "\\n"),
    ):
        text = text.replace(char, written)
    return "".join(c for c in text if c.isprintable())


def fold(line: str) -> str:
    """Return a line in pieces of at most 75 octets, the later ones after a blank; no character is torn."""
    pieces, octets = [""], 0
    for char in line:
        size = len(char.encode())
        if octets + size > MOST_OCTETS:
            pieces.append(" ")
            octets = 1
        pieces[-1] += char
        octets += size
    return "\r\n".join(pieces)
