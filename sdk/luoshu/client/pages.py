"""Lists and watches without tokens and positions: one iterator over all pages, one over all
changes.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import Message

from luoshu.client.errors import Overloaded, Unavailable

Q = TypeVar("Q", bound=Message)


def pages(call: Callable[[Q], Any], request: Q) -> Iterator[Any]:
    """Yield every page of a List call, from the request's own page token on."""
    wanted = type(request)()
    wanted.CopyFrom(request)
    while True:
        page = call(wanted)
        yield page
        if not page.next_page_token:
            return
        wanted.page_token = page.next_page_token  # type: ignore[attr-defined]


def iterate(call: Callable[[Q], Any], request: Q) -> Iterator[Any]:
    """Yield every record of a List call, page after page, in the list's order."""
    for page in pages(call, request):
        yield from getattr(page, records_field(type(page)))


def records_field(page: type[Message]) -> str:
    """Return the name of a page's only repeated message field.

    Raises TypeError where it is not the only one.
    """
    found = [f.name for f in page.DESCRIPTOR.fields if f.is_repeated and f.message_type]
    if len(found) != 1:
        raise TypeError(f"{page.DESCRIPTOR.full_name} is no page: it has the lists {found}")
    return found[0]


def follow(
    call: Callable[[Q], Any],
    request: Q,
    *,
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Any]:
    """Yield every change of a Watch call, for ever: after an interruption it goes on behind the
    last change seen.

    `pause`: seconds to wait where the server names none. Raises LuoshuError for what waiting cannot
    cure.
    """
    wanted = type(request)()
    wanted.CopyFrom(request)
    while True:
        try:
            for event in call(wanted):
                yield event
                wanted.after_position = event.change.position  # type: ignore[attr-defined]
        except (Unavailable, Overloaded) as error:
            sleep(error.retry_after or pause)
        else:
            return
