"""Frames of recorded clients, made wrong: each change takes a list of frames and leaves another.

    protocol, frames, untouched = mutated(random.Random(7), recorded)      # for one connection
"""

import re
import struct
from collections import defaultdict
from typing import NamedTuple

from aiokafka.record.util import calc_crc32c

#: What length and count fields are set to.
LENGTHS = [-(1 << 31), -1, 0, 1, 127, 1 << 15, 1 << 20, (1 << 31) - 1]
#: The same where they are varints: of one more than the length in Kafka's compact fields, zigzag in records.
VARINTS = [b"\0", b"\1", b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\xff" * 9 + b"\x01", b"\xff" * 12]
CHANGES_MAX = 4
FRAMES_AROUND = 4
API_KEYS, VERSIONS = range(0, 93), range(0, 19)
#: Of a record batch (v2): the magic byte, the checksum and what it is of, from the batch's beginning.
MAGIC_AT, CRC_AT, SUMMED_AT = 16, 17, 21
BATCH = re.compile(rb".{8}\0.{3}(?:\xff{4}|\0{4})\x02.{44}", re.DOTALL)


class Stream(NamedTuple):
    """What one connection sent, in the frames of its protocol: "kafka", "mqtt" or "http"."""

    protocol: str
    frames: list


class Recorded:
    """Streams, and where in them each kind of frame is, so that rare ones are drawn as often as frequent ones."""

    def __init__(self, streams):
        self.places = defaultdict(lambda: defaultdict(list))
        for stream in streams:
            for at, frame in enumerate(stream.frames):
                self.places[stream.protocol][kind_of(stream.protocol, frame)].append((stream, at))

    def draw(self, chance, protocol):
        """Some frames of a stream around one of a kind that was drawn. MQTT begins with a CONNECT, or gets nowhere."""
        places = self.places[protocol]
        stream, at = chance.choice(places[chance.choice(sorted(places))])
        begin, end = max(0, at - chance.randrange(FRAMES_AROUND)), at + chance.randrange(1, FRAMES_AROUND)
        first = stream.frames[:1] if protocol == "mqtt" and begin > 0 else []
        return first + stream.frames[begin:end]


def kind_of(protocol, frame):
    return {"kafka": frame[4:8], "mqtt": frame[:1], "http": frame[:24]}[protocol]


def put(frame, at, field):
    frame[at:at + len(field)] = field


def length_places(frame):
    """(place, size of the field) of what looks like a length in front of text, or like the count of an array."""
    for text in re.finditer(rb"[ -~]{2,}", frame):
        at, length = text.start(), len(text[0])
        if at >= 2 and struct.unpack_from(">h", frame, at - 2)[0] == length:
            yield at - 2, 2
        elif at >= 1 and frame[at - 1] in (length + 1, 2 * length):
            yield at - 1, 1
    for count in re.finditer(rb"\0\0\0[\x01-\x20]", frame):
        yield count.start(), 4


def flip_bits(chance, frame):
    for _ in range(chance.choice((1, 1, 2, 8))):
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)


def change_length(chance, frame):
    places = list(length_places(frame)) or [(chance.randrange(len(frame)), 4)]
    at, size = chance.choice(places)
    if size == 1:
        frame[at:at + 1] = chance.choice(VARINTS)
    else:
        put(frame, at, struct.pack(">i", chance.choice(LENGTHS))[-size:])


def change_number(chance, frame):
    """A boundary value anywhere."""
    put(frame, chance.randrange(len(frame)), struct.pack(chance.choice((">h", ">i", ">q")), chance.choice((-1, 0, 1, 32767))))


def insert_bytes(chance, frame):
    at = chance.randrange(len(frame) + 1)
    frame[at:at] = chance.randbytes(chance.choice((1, 2, 4, 100)))


def remove_bytes(chance, frame):
    at = chance.randrange(len(frame))
    del frame[at:at + chance.choice((1, 2, 4, 100))]


def change_header(chance, frame):
    """Another API, another version, or both."""
    if chance.random() < 0.5:
        put(frame, 4, struct.pack(">h", chance.choice(API_KEYS)))
    if chance.random() < 0.7:
        put(frame, 6, struct.pack(">h", chance.choice(VERSIONS)))


def change_batch(chance, frame):
    """Something in the records, with a checksum that is right."""
    batches = list(BATCH.finditer(frame))
    if not batches:
        return flip_bits(chance, frame)
    begin = chance.choice(batches).start()
    batch = frame[begin + SUMMED_AT:]
    chance.choice((flip_bits, change_number, change_length))(chance, batch)
    frame[begin + SUMMED_AT:] = batch
    length = struct.unpack_from(">i", frame, begin + 8)[0]
    put(frame, begin + CRC_AT, struct.pack(">I", calc_crc32c(bytes(frame[begin + SUMMED_AT:begin + 12 + length]))))


WITHIN = [flip_bits, change_length, change_length, change_number, insert_bytes, remove_bytes, change_header, change_batch]


def swap_frames(chance, frames, _):
    a, b = chance.randrange(len(frames)), chance.randrange(len(frames))
    frames[a], frames[b] = frames[b], frames[a]


def repeat_frame(chance, frames, _):
    frames[:] = frames + [chance.choice(frames)] * chance.choice((1, 2, 20))


def splice_frames(chance, frames, others):
    frames[chance.randrange(len(frames)):] = others


def truncate(chance, frames, _):
    frames[-1] = frames[-1][:chance.randrange(len(frames[-1]) + 1)]


ACROSS = [swap_frames, repeat_frame, splice_frames, truncate]


def with_right_size(protocol, frame):
    """The frame with a size that is what follows."""
    if protocol == "kafka":
        return struct.pack(">i", max(0, len(frame) - 4)) + frame[4:]
    if protocol == "mqtt" and len(frame) > 1:
        body = frame[1 + len(re.match(rb"[\x80-\xff]{0,3}.?", frame[1:], re.DOTALL)[0]):]
        low, high = len(body) & 127, len(body) >> 7
        return frame[:1] + (bytes([low | 128, high]) if high else bytes([low])) + body
    return frame


def mutate_frame(chance, protocol, frames):
    at = chance.randrange(len(frames))
    if len(frames[at]) < 8:
        return
    frame = bytearray(frames[at])
    chance.choice(WITHIN)(chance, frame)
    # A wrong size ends the connection there, before anything else is looked at.
    frames[at] = with_right_size(protocol, bytes(frame)) if chance.random() < 0.8 else bytes(frame)


def mutated(chance, recorded):
    """The protocol to which a stream goes, its frames, and how many of them are as they were before the first that was
    changed; now and then it has frames of another protocol."""
    protocol = chance.choice(("kafka",) * 6 + ("mqtt", "http"))
    drawn = recorded.draw(chance, protocol)
    frames = list(drawn)
    for _ in range(chance.randrange(1, CHANGES_MAX + 1)):
        if chance.random() < 0.7:
            mutate_frame(chance, protocol, frames)
        else:
            other = protocol if chance.random() < 0.9 else chance.choice(("kafka", "mqtt", "http"))
            chance.choice(ACROSS)(chance, frames, recorded.draw(chance, other))
    untouched = next((at for at, pair in enumerate(zip(frames, drawn)) if pair[0] != pair[1]), min(len(frames), len(drawn)))
    return protocol, frames, untouched
