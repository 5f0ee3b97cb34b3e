"""Record batches (v2) whose lengths and counts lie, under a checksum that is right, and compressed data that is not what it
says: wrong sizes inside the codecs' own frames, and bombs that expand to 1 GiB."""

import gzip
import struct
import time
import zlib
from typing import NamedTuple

import cramjam
from aiokafka.record.util import calc_crc32c
from varint import varint

GIB = 1 << 30
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
COMPRESS = {
    "none": bytes,
    "gzip": gzip.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
}
TIME_MS = int(time.time() * 1000)
XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
LZ4 = b"\x04\x22\x4d\x18"
ZSTD = b"\x28\xb5\x2f\xfd"


class Lie(NamedTuple):
    codec: str
    name: str
    batch: bytes
    may_be_taken: bool = False  # A null where one is allowed.


def batch_of(records, codec="none", count=1, last_delta=0, length=None, time_ms=TIME_MS):
    """A batch of these bytes, compressed already, with a checksum of what is there."""
    summed = struct.pack(">hiqqqhii", CODECS[codec], last_delta, time_ms, time_ms, -1, -1, -1, count) + records
    rest = struct.pack(">ibI", -1, 2, calc_crc32c(summed)) + summed
    return struct.pack(">qi", 0, len(rest) if length is None else length) + rest


#: A record's parts: the name of what it is the length of, whether that may be null, and what follows it.
RECORD = [("key", True, b"k"), ("value", True, b"v"), ("headers", False, b""), ("header key", False, b"h"), ("header value", True, b"x")]


def record(lying=None, field=b""):
    """A record of a key, a value and a header; the length named `lying` is `field`."""
    out = b"\0\0\0"  # Attributes and the deltas.
    for name, _, content in RECORD:
        out += (field if name == lying else varint(len(content) or 1)) + content
    return (field if lying == "record" else varint(len(out))) + out


def lengths_that_lie():
    yield "2^31-1", varint((1 << 31) - 1)
    yield "-2^31", varint(-(1 << 31))
    yield "-1", varint(-1)
    yield "more than there is", varint(100)
    yield "endless", b"\xff" * 12


def lying_records():
    """(name, records, whether they may be taken)."""
    nullable = {name for name, may_be_null, _ in RECORD if may_be_null}
    for name in ("record", *(name for name, _, _ in RECORD)):
        for what, field in lengths_that_lie():
            yield f"{name} length {what}", record(name, field), what == "-1" and name in nullable


def lying_batches():
    for codec, compress in COMPRESS.items():
        records = compress(record())
        for count in ((1 << 31) - 1, -(1 << 31), -1, 0, 2, 1_000_000):
            yield Lie(codec, f"count {count}", batch_of(records, codec, count, count - 1 & 0x7FFFFFFF))
        for delta in ((1 << 31) - 1, -(1 << 31), -1, 1):
            yield Lie(codec, f"last offset delta {delta}", batch_of(records, codec, 1, delta))
        for length in ((1 << 31) - 1, -(1 << 31), -1, 0, 48, 49, 1000):
            yield Lie(codec, f"batch length {length}", batch_of(records, codec, length=length))
        for name, lying, may_be_taken in lying_records():
            yield Lie(codec, name, batch_of(compress(lying), codec), may_be_taken)


def lying_codec_frames():
    """Compressed data whose own sizes lie: (codec, what, data)."""
    honest = record()
    raw = COMPRESS["snappy"](honest)
    for what, size in (("2^32-1", b"\xff\xff\xff\xff\x0f"), ("2^31-1", b"\xff\xff\xff\xff\x07"), ("endless", b"\xff" * 12)):
        yield "snappy", f"expands to {what}", size + raw[1:]
        yield "snappy", f"a chunk that expands to {what}", XERIAL + struct.pack(">i", len(size + raw[1:])) + size + raw[1:]
    for size in ((1 << 31) - 1, -1, -(1 << 31), len(raw) + 1):
        yield "snappy", f"a chunk of {size}", XERIAL + struct.pack(">i", size) + raw
    for size in ((1 << 63) - 1, (1 << 64) - 1, (1 << 31) - 1):
        yield "lz4", f"content size {size}", lz4_frame([struct.pack("<I", 1 << 31 | len(honest)) + honest], size)
        yield "zstd", f"content size {size}", ZSTD + b"\xe0" + struct.pack("<Q", size) + zstd_block(0, len(honest), honest, True)
    for size in (0x7FFFFFFF, 0xFFFFFFFF, len(honest) + 1):
        yield "lz4", f"a block of {size}", LZ4 + b"\x60\x40\x82" + struct.pack("<I", size) + honest
    yield "zstd", "the largest window", ZSTD + b"\0\xff" + zstd_block(1, 128 << 10, b"\0", True)
    for kind, name in ((0, "raw"), (1, "run"), (2, "compressed")):
        yield "zstd", f"a {name} block of 2^21-1", ZSTD + b"\0\x58" + zstd_block(kind, (1 << 21) - 1, b"\0", True)
    yield "gzip", "cut", gzip.compress(honest)[:-9]
    yield "gzip", "size 2^32-1", gzip.compress(honest)[:-4] + b"\xff" * 4
    yield "gzip", "a name without end", b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 100_000


def zstd_block(kind, size, content, last=False):
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + content


def lz4_frame(blocks, content_size=None):
    """Independent blocks of up to 4 MiB; the header's own checksum is right."""
    descriptor = b"\x60\x70" if content_size is None else b"\x68\x70" + struct.pack("<Q", content_size)
    return LZ4 + descriptor + bytes([xxh32(descriptor) >> 8 & 255]) + b"".join(blocks) + bytes(4)


def xxh32(data):
    """xxHash32 of less than 16 bytes, seed 0."""
    primes, mask = (2654435761, 2246822519, 3266489917, 668265263, 374761393), 0xFFFFFFFF

    def rotated(value, by):
        return (value << by | value >> 32 - by) & mask

    value, at = (primes[4] + len(data)) & mask, 0
    for at in range(0, len(data) - 3, 4):
        value = rotated(value + struct.unpack_from("<I", data, at)[0] * primes[2] & mask, 17) * primes[3] & mask
    for byte in data[len(data) & ~3:]:
        value = rotated(value + byte * primes[4] & mask, 11) * primes[0] & mask
    for shift, prime in ((15, primes[1]), (13, primes[2]), (16, 1)):
        value = (value ^ value >> shift) * prime & mask
    return value


def gzip_bomb(size):
    """Whole deflate blocks of a MiB of zeros each, which need nothing of those before them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros, checksum = bytes(1 << 20), 0
    piece = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    for _ in range(size >> 20):
        checksum = zlib.crc32(zeros, checksum)
    return b"\x1f\x8b\x08" + bytes(7) + piece * (size >> 20) + b"\x03\0" + struct.pack("<II", checksum, size)


def lz4_bomb(size):
    piece = bytes(cramjam.lz4.compress_block(bytes(4 << 20), store_size=False))
    return lz4_frame([struct.pack("<I", len(piece)) + piece] * (size >> 22))


def zstd_bomb(size):
    """Runs of 128 KiB, four bytes each: no form of zstd is denser."""
    return ZSTD + b"\0\x58" + zstd_block(1, 128 << 10, b"\0") * ((size >> 17) - 1) + zstd_block(1, 128 << 10, b"\0", True)


def snappy_bomb(size):
    piece = COMPRESS["snappy"](bytes(1 << 20))
    return XERIAL + (struct.pack(">i", len(piece)) + piece) * (size >> 20)


BOMBS = {"gzip": gzip_bomb, "lz4": lz4_bomb, "zstd": zstd_bomb, "snappy": snappy_bomb}
