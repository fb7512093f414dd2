"""A worker made of bytes: speaks to servers as PROTOCOL.md says, so that tests decide over every request, repeat and silence."""
import socket
import struct
import zlib

import zmtp

HELLO, WELCOME, LAYOUT, LAYOUT_REPLY, HEARTBEAT, HEARTBEAT_REPLY, FINISH, FINISH_REPLY, STATUS, STATUS_REPLY, CHECKPOINT, CHECKPOINT_REPLY, ERROR = \
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22
PULL, INIT, PUSH_PULL, WEIGHTS, NEED_INIT, QUERY, PENDING, RESEND = 30, 31, 32, 33, 34, 35, 36, 37
TICKET_NONE, TICKET_BATCH, TICKET_ABSTAIN, TICKET_DONE = 1, 2, 3, 4
INIT_ZERO = 1


def fixed64(number, value):
    return zmtp.varint(number << 3 | 1) + struct.pack("<Q", value)


def fixed32(number, value):
    return zmtp.varint(number << 3 | 5) + struct.pack("<f", value)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def parse(data):
    """Fields of a protobuf message: number to list of values; integers, or bytes where there was a length."""
    fields, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            width = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at:at + width], "little"), at + width
        fields.setdefault(number, []).append(value)
    return fields


class Answer:
    """One received message: kind is the number of its body, field(n) the latest value of field n in it."""

    def __init__(self, frames):
        fields = parse(frames[0])
        self.kind = next(number for number in fields if number >= 10)
        self.fields = parse(fields[self.kind][-1])
        self.payload = frames[1] if len(frames) > 1 else b""

    def field(self, number, default=0):
        return self.fields.get(number, [default])[-1]

    def text(self, number):
        value = self.field(number, b"")
        return value.decode() if isinstance(value, bytes) else ""

    def floats(self):
        return list(struct.unpack("<%df" % (len(self.payload) // 4), self.payload))


def share(count, parts, item):
    """Which of so many shares of `count` items holds this one, and its place and number there: the first shares have one more where it does not divide."""
    each, extra = divmod(count, parts)
    split = extra * (each + 1)
    if item < split:
        return item // (each + 1), item % (each + 1), each + 1
    return extra + (item - split) // each, (item - split) % each, each


def connect(address):
    """Frames leave one by one: without TCP_NODELAY each message would wait for an acknowledgement."""
    peer = zmtp.Peer(address).shake_hands()
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


class Control:
    """The control socket of one server."""

    def __init__(self, address):
        self.peer = connect(address)

    def ask(self, kind, body=b""):
        self.peer.send(zmtp.header(kind, body))
        return Answer(self.peer.receive())

    def close(self):
        self.peer.close()


class Worker:
    """A worker of one server. Its model is one list of (name, length); gaps between tensors are its own business."""

    def __init__(self, address, name, index=0, count=1, identity=None, nonce=None):
        self.nonce = nonce or zlib.crc32(name.encode()) + 1
        self.control = Control(address)
        body = (zmtp.field(1, 1) + fixed64(2, self.nonce) + zmtp.field(6, index) + zmtp.field(7, count)
                + zmtp.field(8, name.encode()))
        if identity:
            body += zmtp.field(3, 1) + zmtp.field(4, identity[0]) + zmtp.field(5, identity[1])
        self.welcome = self.control.ask(HELLO, body)
        if self.welcome.kind != WELCOME:
            raise AssertionError("HELLO was answered with %d: %s" % (self.welcome.kind, self.welcome.text(5)))
        self.session = self.welcome.field(1)
        session = parse(self.session)
        self.identity = (session.get(1, [0])[0], session[2][0])
        self.endpoints = [text.decode() for text in self.welcome.fields[13]]
        self.shards = {}
        self.seqs = {}
        self.step = 0

    def declare(self, tensors, samples_per_epoch):
        body = zmtp.field(1, self.session) + fixed64(2, self.nonce) + zmtp.field(3, samples_per_epoch)
        for name, length in tensors:
            tensor = zmtp.field(1, name.encode()) + zmtp.field(2, zmtp.varint(length)) + zmtp.field(3, INIT_ZERO)
            body += zmtp.field(4, tensor)
        answer = self.control.ask(LAYOUT, body)
        if answer.kind == LAYOUT_REPLY:
            self.total, self.block_params, self.block_count = answer.field(2), answer.field(3), answer.field(4)
            self.server_count, self.shards_per_server = answer.field(5), answer.field(6)
        return answer

    def shard_of(self, block):
        """Global number of the shard that owns a block: servers share all blocks, shards what their server got."""
        server, place, count = share(self.block_count, self.server_count, block)
        return server * self.shards_per_server + share(count, self.shards_per_server, place)[0]

    def socket_of(self, block):
        shard = self.shard_of(block) % self.shards_per_server
        if shard not in self.shards:
            self.shards[shard] = connect(self.endpoints[shard].split("//")[1])
        return self.shards[shard]

    def length_of(self, block):
        return min(self.block_params, self.total - block * self.block_params)

    def request(self, block, seq):
        return zmtp.field(1, self.session) + zmtp.field(2, block) + zmtp.field(3, seq) + zmtp.field(4, self.step)

    def send(self, kind, block, body, *payload):
        socket = self.socket_of(block)
        socket.send(zmtp.header(kind, body), *payload)
        return Answer(socket.receive())

    def next_seq(self, block):
        self.seqs[block] = self.seqs.get(block, 0) + 1
        return self.seqs[block]

    def pull(self, block, initial=0.0):
        """Pulls, and gives the initial values where they are asked for."""
        answer = self.send(PULL, block, self.request(block, self.next_seq(block)))
        if answer.kind == NEED_INIT:
            values = struct.pack("<%df" % self.length_of(block), *[initial] * self.length_of(block))
            answer = self.send(INIT, block, self.request(block, self.next_seq(block)), values)
        return answer

    def push(self, block, gradient, samples=1, seq=None):
        """Pushes a gradient of one value everywhere; with `seq` an old request is repeated."""
        seq = seq or self.next_seq(block)
        body = zmtp.field(1, self.request(block, seq)) + zmtp.field(2, samples) + fixed32(3, 1.0)
        return self.send(PUSH_PULL, block, body, struct.pack("<%df" % self.length_of(block), *[gradient] * self.length_of(block)))

    def train(self, gradient, samples=1):
        """One step over all blocks; answers by block."""
        self.step += 1
        return [self.push(block, gradient, samples) for block in range(self.block_count)]

    def finish(self, done=True):
        return self.control.ask(FINISH, zmtp.field(1, self.session) + zmtp.field(2, int(done)))

    def close(self):
        self.control.close()
        for shard in self.shards.values():
            shard.close()
