"""What a broker answers to ApiVersions, read without any client's help."""

import socket
import struct
from typing import NamedTuple

API_VERSIONS = 18


class ApiVersions(NamedTuple):
    apis: dict  # {api key: (first version, last version)}
    features: dict  # {name: (first level, last level)}, as supported


class Reader:
    """The parts of a flexible response (KIP-482)."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def numbers(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def varint(self):
        value = shift = 0
        while True:
            (byte,) = self.numbers(">B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        length = self.varint() - 1
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def skip_tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.at += self.varint()


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        assert part, "the broker closed the connection"
        data += part
    return data


def ask(address):
    """ApiVersions of the broker at "host:port", asked in version 4."""
    host, port = address.rsplit(":", 1)
    body = struct.pack(">hhih", API_VERSIONS, 4, 1, -1) + b"\0" + b"\x05test\x021\0"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", exactly(connection, 4))
        return parse(exactly(connection, size))


def parse(response):
    read = Reader(response)
    correlation, error = read.numbers(">ih")
    assert (correlation, error) == (1, 0)
    apis = {}
    for _ in range(read.varint() - 1):
        key, first, last = read.numbers(">hhh")
        read.skip_tags()
        apis[key] = (first, last)
    read.numbers(">i")  # The throttle time.
    features = {}
    for _ in range(read.varint()):
        tag, size = read.varint(), read.varint()
        end = read.at + size
        if tag == 0:
            features = parse_features(read)
        read.at = end
    return ApiVersions(apis, features)


def parse_features(read):
    features = {}
    for _ in range(read.varint() - 1):
        name, levels = read.text(), read.numbers(">hh")
        read.skip_tags()
        features[name] = levels
    return features
