"""Integers of variable length: seven bits a byte, the lowest first."""


def uvarint(value):
    """As MQTT's remaining length, and Kafka's lengths since its flexible versions."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def varint(value):
    """Zigzag, as in Kafka's records."""
    return uvarint(value << 1 if value >= 0 else (-value << 1) - 1)
