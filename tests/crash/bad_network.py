"""A TCP proxy that does to connections what networks do.

    with BadNetwork(seed) as network:
        network.target = server.kafka     # clients connect to network.address
        network.calm()                    # from here on it only forwards

Each connection gets a manner of forwarding and an end, to which it comes after some bytes, wherever in a frame that is.
"""

import asyncio
import itertools
import random
import socket
import struct
import sys
import threading
from collections import Counter

#: How a connection ends: in good order, by a reset, or half-open, where neither side hears of the other any more.
ENDS = ["close", "reset", "silence"]
#: How it forwards what it gets: as it is, late, or in segments of a byte.
MANNERS = ["whole", "late", "bytes"]
BYTES_MIN, BYTES_MAX = 100, 10_000_000
LATE_S_MAX = 0.05
SILENCE_S_MAX = 2
#: The part of a piece that goes byte by byte; the rest follows whole.
SINGLE_BYTES_MAX = 500
PIECE_BYTES = 65536


class Link:
    """One connection through the proxy: how many bytes it still forwards, and how. It counts what it does to them."""

    def __init__(self, chance, end, manner, bytes_max, counts):
        self.counts = counts
        self.end, self.manner = end, manner
        self.bytes_left = int(BYTES_MIN * (bytes_max / BYTES_MIN) ** chance.random())
        self.delay = chance.uniform(0, LATE_S_MAX)
        self.silence = chance.uniform(0, SILENCE_S_MAX)

    async def pump(self, reader, writer):
        """Forwards one direction until its source ends or the link may forward no more."""
        while self.bytes_left > 0 and (piece := await reader.read(PIECE_BYTES)):
            piece = piece[:self.bytes_left]
            self.bytes_left -= len(piece)
            if self.manner == "late":
                self.counts["delayed pieces"] += 1
                await asyncio.sleep(self.delay)
            singles = min(len(piece), SINGLE_BYTES_MAX) if self.manner == "bytes" else 0
            self.counts["single bytes"] += singles
            for part in [*(piece[i:i + 1] for i in range(singles)), piece[singles:]]:
                if writer.is_closing():
                    return
                writer.write(part)
            await writer.drain()


class BadNetwork(threading.Thread):
    def __init__(self, seed, bytes_max=BYTES_MAX):
        super().__init__(daemon=True)
        self.bytes_max = bytes_max
        self.deck = []
        self.chance = random.Random(f"{seed} network")
        self.target = None
        self.quiet = False
        self.counts = Counter()
        self.links = []
        self.loop = asyncio.new_event_loop()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.serve, sock=self.listener))
        self.loop.run_forever()

    async def serve(self, reader, writer):
        writers = [writer]
        self.links.append(writers)
        try:
            host, port = self.target.rsplit(":", 1)
            other_reader, other_writer = await asyncio.open_connection(host, int(port))
            writers.append(other_writer)
            await self.forward((reader, other_writer), (other_reader, writer), writers)
        except OSError:
            pass  # The server is not there.
        for each in writers:
            each.close()
        self.links.remove(writers)

    def draw(self):
        """An end and a manner; each pair comes before one comes again."""
        if not self.deck:
            self.deck = list(itertools.product(ENDS, MANNERS))
            self.chance.shuffle(self.deck)
        return self.deck.pop()

    async def forward(self, there, back, writers):
        link = Link(self.chance, *self.draw(), self.bytes_max, self.counts)
        if self.quiet:
            link.manner, link.bytes_left = "whole", sys.maxsize
        pumps = [asyncio.create_task(link.pump(*way)) for way in (there, back)]
        _, waiting = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in waiting:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        if link.bytes_left > 0:
            return  # One of the two sides has ended it.
        self.counts[link.end] += 1
        if link.end == "silence":
            await asyncio.sleep(link.silence)
        if link.end != "close":
            for each in writers:
                reset(each)

    def calm(self):
        """Forwards without faults from here on; the connections that have one coming are reset."""
        self.quiet = True
        self.loop.call_soon_threadsafe(self.reset_all)

    def reset_all(self):
        for writers in self.links:
            for each in writers:
                reset(each)

    async def end(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.loop.stop()

    def told(self):
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop)
        self.join(10)
        self.listener.close()


def reset(writer):
    """Closes with RST: what was sent and not yet read is lost."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
