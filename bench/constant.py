"""A server that answers a constant: what the load generator itself can do at most.

`python -m bench.constant PORT`. No parsing beyond finding the end of the request.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

BODY = (
    b'{"reservationId":"7a1d2c3b-0000-5000-8000-000000000000","id":"ohre~0","processingStatus":"success",'
    b'"message":"","statusCode":200,"afrFailure":false,"afrQuantity":1}'
)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


class Constant(asyncio.Protocol):
    """Answers each chunk that ends a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the chunk ends a body."""
        if data.endswith((b"}", b"]")):
            self.transport.write(ANSWER)


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
