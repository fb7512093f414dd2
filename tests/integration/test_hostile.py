"""Wrong bytes on every socket of a server that is training: it answers or hangs up, counts, and goes on."""
import random
import re
import subprocess
import unittest

import cluster
import zmtp

HELLO, LAYOUT, HEARTBEAT, ERROR, PULL, PUSH_PULL, SNAPSHOT = 10, 12, 14, 22, 30, 32, 38


def ports_of(process):
    """Every TCP port that a process listens at: control and shards alike."""
    inodes = set()
    listing = subprocess.run(["ls", "-l", "/proc/%d/fd" % process.pid], capture_output=True, text=True).stdout
    inodes.update(re.findall(r"socket:\[(\d+)\]", listing))
    ports = []
    with open("/proc/%d/net/tcp" % process.pid) as table:
        for line in list(table)[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                ports.append(int(columns[1].split(":")[1], 16))
    return ports


class HostileTest(cluster.ClusterTest):
    model = cluster.paced(1, 60000)  # trains on until it is stopped

    def setUp(self):
        super().setUp()
        self.server = self.start_server("--workers", 1, "--shards", 2, "--algorithm", "asgd", "--epochs", 100, "--batch-size", 32)
        self.worker = self.start_worker(self.server.address)
        self.wait_samples(self.server.address, 320)
        self.targets = ["127.0.0.1:%d" % port for port in ports_of(self.server.process)]
        self.assertEqual(len(self.targets), 3)

    def rejected(self):
        return self.answered(self.server.address)[0]["rejected_messages"]

    def check_alive(self):
        """The very server trains on, the worker never noticed."""
        self.assertIsNone(self.server.code, self.server.describe())
        before = self.samples(self.server.address)
        self.wait_samples(self.server.address, before + 320, 20)
        self.assertIsNone(self.worker.code, self.worker.describe())

    def test_bytes_that_are_no_zeromq(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        rng = random.Random(seed)
        samples = [b"", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", zmtp.GREETING[:20], zmtp.GREETING + b"\xff" * 40,
                   zmtp.GREETING.replace(b"NULL", b"EVIL")] + [rng.randbytes(rng.randrange(1, 4000)) for _ in range(40)]
        for target in self.targets:
            for data in samples:
                peer = zmtp.Peer(target)
                try:
                    peer.socket.sendall(data)
                except OSError:
                    pass
                peer.close()
        self.check_alive()

    def test_malformed_messages(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        rng = random.Random(seed)
        hello = zmtp.header(HELLO, zmtp.field(1, 1) + zmtp.field(2, 77))
        messages = [
            [b""], [b"", b""], [b"", b"", b""], [b"\xff" * 100], [hello[:-3]], [hello, b"x" * 5], [hello] * 7,
            [zmtp.header(HELLO, zmtp.field(1, 1), version=99)],
            [zmtp.header(HELLO, b"\xff" * 60000)],
            [b"\0" * (65 * 1024)],
            [zmtp.header(PUSH_PULL, zmtp.field(2, 8)), b"abc"],
            [zmtp.header(PUSH_PULL, zmtp.field(1, zmtp.field(2, 1 << 31)) + zmtp.field(2, 8)), b"\0" * 400],
            [zmtp.field(1, 1) + zmtp.varint(PULL << 3 | 2) + zmtp.varint(1 << 62) + b"zz"],
            [zmtp.header(LAYOUT, zmtp.field(3, 60000) + zmtp.field(4, b"\x0a\xff\xff\xff\xff\x0f"))],
            [zmtp.header(SNAPSHOT, zmtp.field(1, 4000000000) + zmtp.field(2, 4000000000))],
        ] + [[rng.randbytes(rng.randrange(1, 300)), rng.randbytes(4 * rng.randrange(1, 300))] for _ in range(200)]
        before = self.rejected()
        peers = [zmtp.Peer(target).shake_hands() for target in self.targets]
        for peer in peers:
            for frames in messages:
                peer.send(*frames)
        # Closing with unread answers resets the connection, and what the server has not read by then is gone.
        self.wait("refusals", lambda: self.rejected() > before + 3 * 100, 20)
        for peer in peers:
            peer.close()
        self.check_alive()

    def test_wrong_version_is_told(self):
        peer = zmtp.Peer(self.server.address).shake_hands()
        peer.send(zmtp.header(HELLO, zmtp.field(1, 1) + zmtp.field(2, 5), version=99))
        answer = b"".join(peer.receive())
        self.assertIn(b"version", answer)
        self.assertIn(b"99", answer)
        peer.close()

    def test_strangers_on_the_data_plane(self):
        """Well-formed requests under sessions nobody has, for blocks that are elsewhere or nowhere."""
        for target in self.targets[1:] + self.targets[:1]:
            peer = zmtp.Peer(target).shake_hands()
            for block in (0, 1, 7, 1000, (1 << 20) - 1):
                session = zmtp.field(1, 0) + zmtp.field(2, 1) + zmtp.field(3, 12345)
                request = zmtp.field(1, session) + zmtp.field(2, block) + zmtp.field(3, 9)
                peer.send(zmtp.header(PULL, request))
                self.assertTrue(peer.receive())
            peer.close()
        self.check_alive()

    def test_oversized_frame(self):
        for target in self.targets:
            peer = zmtp.Peer(target).shake_hands()
            try:
                peer.send(zmtp.header(PUSH_PULL, b""), b"\0" * (3 << 20))
                peer.receive()
                self.fail("an oversized frame was answered instead of refused")
            except OSError:
                pass
            peer.close()
        self.check_alive()

    def test_many_connections(self):
        peers = [zmtp.Peer(target) for target in self.targets for _ in range(100)]
        self.check_alive()
        for peer in peers:
            peer.close()


if __name__ == "__main__":
    cluster.main()
