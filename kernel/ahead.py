"""Reading ahead: the next thing is made ready while the last one is worked on."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def one_ahead(items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield what comes, in its order; the next is asked for before the last is handed out. None ends it."""
    coming = asyncio.ensure_future(anext(items, None))
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(anext(items, None))
            yield item
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)  # what failed unseen is told nowhere
