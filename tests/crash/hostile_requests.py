"""Requests of every Kafka API and version, made from Kafka's own descriptors, and lies at each of their lengths and counts.

    messages = Messages()
    for sample in messages.requests(key, version):    # one that is honest
        for lie in lies_about(sample): ...
"""

import struct
from typing import NamedTuple

from kafka_descriptors import descriptors, versions
from varint import uvarint

TEXT = b"a"
#: What an element of zeros takes at the most, in nearly all arrays.
ELEMENT_BYTES = 40
#: Fields whose default is no client's: nobody waits, every batch is answered, and there are no replicas.
NUMBERS = {"Acks": -1, "ReplicaId": -1, "ReplicaEpoch": -1}
FORMS = {"bool": "?", "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "float64": "d"}


class Place(NamedTuple):
    """Where a length or a count lies, and how it is written: in 2 or 4 bytes, or as an unsigned varint of one more."""

    at: int
    size: int  # 1 for a varint: what a sample holds is short.
    name: str
    kind: str  # "text", "array", "tags", or "tag": the size of a tagged field.
    nullable: bool = False


class Sample(NamedTuple):
    name: str
    body: bytes
    places: list


class Lie(NamedTuple):
    name: str
    body: bytes
    #: No reading of it makes sense: the connection is closed, and nothing is answered.
    is_senseless: bool


class Writer:
    """Writes a message of one version, each array with one element, and notes its places."""

    def __init__(self, version, flexible, common):
        self.version, self.flexible, self.common = version, flexible, common
        self.out, self.places = bytearray(), []

    def has(self, field, what):
        first, last = versions(field.get(what))
        return first <= self.version <= last

    def length(self, value, size, name, kind, nullable=False, compact=None):
        if self.flexible if compact is None else compact:
            self.places.append(Place(len(self.out), 1, name, kind, nullable))
            self.out += uvarint(value if kind in ("tags", "tag") else value + 1)
        else:
            self.places.append(Place(len(self.out), size, name, kind, nullable))
            self.out += struct.pack(">i", value)[-size:]

    def fields(self, fields):
        present = [field for field in fields if self.has(field, "versions")]
        for field in present:
            if not self.has(field, "taggedVersions"):
                self.field(field)
        if self.flexible:
            self.tags([field for field in present if self.has(field, "taggedVersions")])

    def field(self, field):
        kind, name, nullable = field["type"], field["name"], self.has(field, "nullableVersions")
        if kind.startswith("[]"):
            self.length(1, 4, name, "array", nullable)
            self.value({**field, "type": kind[2:], "nullableVersions": "none"})
        else:
            self.value(field, nullable)

    def value(self, field, nullable=False):
        kind, name = field["type"], field["name"]
        inner = field.get("fields") or self.common.get(kind)
        if inner:
            self.out += b"\1" if nullable else b""
            self.fields(inner)
        elif kind in ("string", "bytes", "records"):
            compact = False if field.get("flexibleVersions") == "none" else None
            self.length(len(TEXT), 2 if kind == "string" else 4, name, "text", nullable, compact)
            self.out += TEXT
        elif kind == "uuid":
            self.out += bytes(16)
        else:
            default = str(field.get("default", 0)).replace("null", "0")
            value = default == "true" if kind == "bool" else NUMBERS.get(name, int(default, 0))
            self.out += struct.pack(">" + FORMS[kind], value)

    def tags(self, fields):
        self.length(len(fields), 0, "tagged fields", "tags")
        for field in sorted(fields, key=lambda field: field["tag"]):
            inside = Writer(self.version, self.flexible, self.common)
            inside.field(field)
            self.out += uvarint(field["tag"])
            self.length(len(inside.out), 0, f"tag of {field['name']}", "tag")
            self.places += [place._replace(at=place.at + len(self.out)) for place in inside.places]
            self.out += inside.out


class Messages:
    def __init__(self):
        every = list(descriptors())
        self.by_name = {each["name"]: each for each in every}
        self.by_key = {each["apiKey"]: each for each in every if each["type"] == "request"}

    def write(self, descriptor, version):
        first, last = versions(descriptor["flexibleVersions"])
        common = {each["name"]: each["fields"] for each in descriptor.get("commonStructs", [])}
        writer = Writer(version, first <= version <= last, common)
        writer.fields(descriptor["fields"])
        return writer

    def message(self, name, version):
        """One that is sent inside of another, as consumers' subscriptions are; its version in front."""
        writer = self.write(self.by_name[name], version)
        places = [place._replace(at=place.at + 2) for place in writer.places]
        return Sample(f"{name} v{version}", struct.pack(">h", version) + bytes(writer.out), places)

    def request(self, key, version):
        """A whole request without its size."""
        descriptor = self.by_key[key]
        body = self.write(descriptor, version)
        header = self.write(self.by_name["RequestHeader"], 2 if body.flexible else 1)
        begin = len(header.out)
        places = header.places + [place._replace(at=place.at + begin) for place in body.places]
        header = struct.pack(">hhi", key, version, 7) + bytes(header.out[8:])
        return Sample(f"{descriptor['name']} v{version}", header + bytes(body.out), places)


def field_of(place, length):
    """What says so long a length at the place; a null's is -1."""
    if place.size == 1:
        return uvarint(length if place.kind in ("tags", "tag") else length + 1)
    bound = 1 << 8 * place.size - 1
    return struct.pack(">i", max(-bound, min(length, bound - 1)))[-place.size:]


def lies_at(place, left):
    """(what, field, whether it never makes sense) of each lie about what has so many bytes left behind it."""
    yield "2^31-1", field_of(place, (1 << 31) - 1), True
    yield "one more than there is", field_of(place, left + 1), True
    if place.size == 1:
        yield "2^32-1", b"\xff\xff\xff\xff\x0f", True
        yield "endless", b"\xff" * 12, True
    else:
        yield "-2^31", field_of(place, -(1 << 31)), True
    if place.kind in ("text", "array"):
        yield "-1", field_of(place, -1), not place.nullable
    yield "all that is there", field_of(place, left), False


def lies_about(sample):
    for place in sample.places:
        head, tail = sample.body[:place.at], sample.body[place.at + place.size:]
        for what, field, is_senseless in lies_at(place, len(tail)):
            yield Lie(f"{sample.name}, {place.name} at {place.at}: {what}", head + field + tail, is_senseless)


def floods(sample, size):
    """Arrays of as many elements as the limit of a length lets pass, in a frame of so many bytes: more than are there, and as
    many as are. They are zeros, or what compact encodings take for nothing."""
    for place in sample.places:
        if place.kind not in ("array", "tags"):
            continue
        for count in (size, size // ELEMENT_BYTES):
            for filling in (b"\0", b"\1"):
                yield Lie(f"{sample.name}, {count} times {filling} in {place.name} at {place.at}",
                          sample.body[:place.at] + field_of(place, count) + filling * size, False)
