"""MQTT packets and HTTP requests whose sizes and counts lie."""

import struct
from typing import NamedTuple

from varint import uvarint

USER_PROPERTIES = 10_000
HTTP_POST = b"POST /v1/topics/t/records HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\n"


class Case(NamedTuple):
    name: str
    sent: bytes
    #: The server ends this by itself, and takes nothing of it; otherwise it may answer, too.
    is_refused: bool = True


def packet(first, body, length=None):
    return bytes([first]) + (uvarint(len(body)) if length is None else length) + body


def text(content, length=None):
    return struct.pack(">H", len(content) if length is None else length) + content


CONNECT_4 = packet(0x10, text(b"MQTT") + b"\x04\x02\0\x3c" + text(b"c"))

#: The fields of packets: bytes as they are, and texts in tuples, in front of which a length lies.
PACKETS = {
    "CONNECT": (0x10, [(b"MQTT",), b"\x04\xc6\0\x3c", (b"c",), (b"w/t",), (b"gone",), (b"user",), (b"password",)]),
    "PUBLISH": (0x32, [(b"t/a",), b"\0\1"]),
    "SUBSCRIBE": (0x82, [b"\0\1", (b"t/#",), b"\1", (b"u",), b"\1"]),
    "UNSUBSCRIBE": (0xA2, [b"\0\1", (b"t/#",), (b"u",)]),
}
LENGTHS = {"of five bytes": b"\xff\xff\xff\xff\x01", "2^28-1": b"\xff\xff\xff\x7f", "over the limit": uvarint((1 << 20) + 1)}


def body_of(fields, lying=None, length=None):
    return b"".join(field if isinstance(field, bytes) else text(field[0], length if at == lying else None)
                    for at, field in enumerate(fields))


def user_properties(count):
    properties = b"\x26" + text(b"") + text(b"")
    return uvarint(len(properties) * count) + properties * count


def connect_5(properties, will_properties=None):
    flags, will = (b"\x02", b"") if will_properties is None else (b"\x06", will_properties + text(b"w") + text(b"gone"))
    return packet(0x10, text(b"MQTT") + b"\x05" + flags + b"\0\x3c" + properties + text(b"c") + will)


def mqtt_cases():
    for name, (first, fields) in PACKETS.items():
        before = b"" if name == "CONNECT" else CONNECT_4
        body = body_of(fields)
        for what, length in LENGTHS.items():
            yield Case(f"{name}: a remaining length {what}", before + packet(first, body, length))
        for cut in range(len(body) if name != "PUBLISH" else 2):
            yield Case(f"{name}: a remaining length of {cut} for {len(body)}", before + packet(first, body, uvarint(cut)))
        for at, field in enumerate(fields):
            if isinstance(field, bytes):
                continue
            room = len(body_of(fields[at:])) - 2
            for length in (0xFFFF, room + 1):
                yield Case(f"{name}: field {at} of {length} bytes", before + packet(first, body_of(fields, at, length)))
    for name, first in (("PUBACK", 0x40), ("PUBREC", 0x50), ("PUBREL", 0x62), ("PINGREQ", 0xC0), ("DISCONNECT", 0xE0)):
        for what, length in LENGTHS.items():
            yield Case(f"{name}: a remaining length {what}", CONNECT_4 + packet(first, b"\0\1", length))
    yield from property_cases()
    for count in (10_000, 150_000):
        filters = (text(b"f") + b"\1") * count
        yield Case(f"SUBSCRIBE to {count} filters", CONNECT_4 + packet(0x82, b"\0\1" + filters), is_refused=False)
        yield Case(f"UNSUBSCRIBE from {count}", CONNECT_4 + packet(0xA2, b"\0\1" + text(b"f") * count), is_refused=False)


def property_cases():
    """MQTT 5's, which no reading makes MQTT 3.1.1."""
    many = user_properties(USER_PROPERTIES)
    yield Case(f"{USER_PROPERTIES} user properties", connect_5(many))
    yield Case(f"{USER_PROPERTIES} user properties of the will", connect_5(b"\0", many))
    yield Case("100,000 user properties", connect_5(user_properties(100_000)))
    for what, length in {**LENGTHS, "endless": b"\xff" * 12}.items():
        yield Case(f"properties of a length {what}", connect_5(length))
        yield Case(f"the will's properties of a length {what}", connect_5(b"\0", length))
    yield Case("a user property of 65,535 bytes", connect_5(uvarint(5) + b"\x26\xff\xff\0\0"))


def http_cases():
    for length in (b"-1", b"2147483647", b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808",
                   b"18446744073709551615", b"18446744073709551616", b"9" * 1000, b"0x10", b"1e3", b"+5", b"5, 6", b"5;", b"", b" "):
        yield Case(f"content length {length[:24]}", HTTP_POST + b"Content-Length: " + length + b"\r\n\r\nhello")
    yield Case("two content lengths", HTTP_POST + b"Content-Length: 5\r\nContent-Length: 2147483647\r\n\r\nhello")
    yield Case("a content length beside chunks", chunked(b"5\r\nhello\r\n0\r\n\r\n", b"Content-Length: 2147483647\r\n"))
    for size in (b"-1", b"7fffffff", b"ffffffff", b"100000000", b"7fffffffffffffff", b"ffffffffffffffff", b"10000000000000000",
                 b"f" * 1000, b"0x5", b"+5", b"g", b""):
        yield Case(f"a chunk of {size[:24]}", chunked(size + b"\r\nhello\r\n0\r\n\r\n"))
    yield Case("a chunk longer than it says", chunked(b"3\r\nhello\r\n0\r\n\r\n"))
    yield Case("an extension of 100 KiB", chunked(b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"), is_refused=False)
    yield Case("20 MiB in chunks of a byte", chunked(b"1\r\nx\r\n" * (20 << 20)))
    yield Case("a trailer of a MiB", chunked(b"0\r\n" + b"T: x\r\n" * (1 << 18) + b"\r\n"), is_refused=False)
    yield Case("10,000 headers", HTTP_POST + b"".join(b"H%d: x\r\n" % i for i in range(10_000)) + b"\r\n")
    yield Case("a header of a MiB", HTTP_POST + b"H: " + b"x" * (1 << 20))
    yield Case("a header's name of a MiB", HTTP_POST + b"x" * (1 << 20))
    yield Case("a path of a MiB", b"GET /" + b"x" * (1 << 20))
    yield Case("a method of a MiB", b"G" * (1 << 20))
    yield Case("no line's end for a MiB", b"\0" * (1 << 20))
    for what in (b"a" * 40_000, b"%00" * 10_000, b"&" * 50_000, b"k=v&" * 12_000):
        yield Case(f"a query of {what[:4]}...", b"GET /api/v1/status?" + what + b" HTTP/1.1\r\nHost: h\r\n\r\n", is_refused=False)


def chunked(body, header=b""):
    return HTTP_POST + header + b"Transfer-Encoding: chunked\r\n\r\n" + body
