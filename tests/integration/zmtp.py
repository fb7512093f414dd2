"""A ZeroMQ peer made of bytes (ZMTP 3.0, NULL security), so that tests can send frames no library would."""
import os
import socket
import struct

GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + b"\0" * 31


PATIENCE = float(os.environ.get("DCPS_TEST_PATIENCE", "1"))


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """One protobuf field: integers as varints, bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def header(number, body, version=1):
    """A header of the protocol: version, and one body by its field number."""
    return field(1, version) + field(number, body)


class Peer:
    def __init__(self, address, seconds=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=seconds * PATIENCE)

    def shake_hands(self, socket_type=b"DEALER"):
        self.socket.sendall(GREETING)
        self.read(64)
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(socket_type)) + socket_type
        self.socket.sendall(b"\x04" + bytes([len(ready)]) + ready)
        self.read_frame()
        return self

    def read(self, count):
        data = b""
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("the other side closed the connection")
            data += chunk
        return data

    def read_frame(self):
        flags = self.read(1)[0]
        length = struct.unpack(">Q", self.read(8))[0] if flags & 2 else self.read(1)[0]
        return flags, self.read(length)

    def receive(self):
        """One message as a list of frames; commands are skipped."""
        frames = []
        while True:
            flags, data = self.read_frame()
            if flags & 4:
                continue
            frames.append(data)
            if not flags & 1:
                return frames

    def send(self, *frames):
        for i, data in enumerate(frames):
            more = 1 if i + 1 < len(frames) else 0
            if len(data) > 255:
                self.socket.sendall(bytes([more | 2]) + struct.pack(">Q", len(data)) + data)
            else:
                self.socket.sendall(bytes([more, len(data)]) + data)

    def close(self):
        self.socket.close()
