"""Reading what another server answered, of which nobody knows how long it is. Called by those who ask over HTTP."""

import aiohttp


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return a body, in however many pieces it comes; None when it has more than `limit` bytes.

    Raises:
        aiohttp.ClientError: It breaks off.
    """
    read = bytearray()
    async for piece in response.content.iter_any():
        read += piece
        if len(read) > limit:
            return None
    return bytes(read)
