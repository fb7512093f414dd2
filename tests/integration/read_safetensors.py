"""Checkpoints as the safetensors library sees them. Runs itself again with the interpreter in DCPS_TEST_PYTHON, which has the library."""
import os
import sys

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import load_file
except ImportError:
    other = os.environ.get("DCPS_TEST_PYTHON")
    if not other or os.environ.get("DCPS_TEST_PYTHON_TRIED"):
        print("skipped: no safetensors library here, and DCPS_TEST_PYTHON %s" % ("has none either" if other else "is not set"))
        sys.exit(77)
    os.execve(other, [other, *sys.argv], dict(os.environ, DCPS_TEST_PYTHON_TRIED="1"))

import json
import zlib

import cluster
import server_peer

MODEL = [("fc1.weight", 300), ("fc1.bias", 20), ("fc2.weight", 200)]
OFFSETS = {"fc1.weight": 0, "fc1.bias": 304, "fc2.weight": 336}


class LibraryTest(cluster.ClusterTest):
    def train(self, *arguments):
        """One server, one worker, two steps of momentum: block k begins at k and gets the gradient 1 twice."""
        folder = os.path.join(self.folder, "checkpoints")
        server = self.start_server("--checkpoint-dir", folder, "--block-params", 64, "--batch-size", 10, "--learning-rate", 0.5, "--optimizer",
                                   "momentum", "--momentum", 0.5, "--shards", 2, *arguments)
        worker = server_peer.Worker(server.address, "w0")
        worker.declare(MODEL, 100)
        for block in range(worker.block_count):
            worker.pull(block, float(block))
        worker.train(1.0, samples=10)
        worker.train(1.0, samples=10)
        worker.finish()
        worker.close()
        self.stop(server)
        return os.path.join(folder, "dcps-0-of-1.safetensors")

    def expected(self, name, length, momentum):
        """After the first step u = 1, w = k − 0.5; after the second u = 1.5, w = k − 1.25."""
        blocks = (numpy.arange(length) + OFFSETS[name]) // 64
        return numpy.full(length, 1.5, numpy.float32) if momentum else (blocks - 1.25).astype(numpy.float32)

    def test_values_and_names(self):
        tensors = load_file(self.train())
        self.assertEqual(set(tensors), {prefix + name for prefix in ("", "momentum/") for name, _ in MODEL})
        for name, length in MODEL:
            numpy.testing.assert_array_equal(tensors[name], self.expected(name, length, False))
            numpy.testing.assert_array_equal(tensors["momentum/" + name], self.expected(name, length, True))

    def test_metadata(self):
        with safe_open(self.train("--seed", 12), framework="np") as file:
            metadata = file.metadata()
        self.assertEqual(metadata["format"], "dcps-checkpoint/1")
        description = json.loads(metadata["dcps"])
        self.assertEqual((description["seed"], description["batch_size"], description["samples_per_epoch"]), (12, 10, 100))
        self.assertEqual([tensor["name"] for tensor in description["layout"]], [name for name, _ in MODEL])
        self.assertEqual([block["version"] for block in description["blocks"]], [2] * 9)
        self.assertEqual(description["tickets"], {"next": 3, "open": [2]})

    def test_sum(self):
        path = self.train()
        with safe_open(path, framework="np") as file:
            metadata = file.metadata()
        with open(path, "rb") as file:
            content = file.read()
        data = content[8 + int.from_bytes(content[:8], "little"):]
        self.assertEqual(metadata["crc32"], "%08x" % zlib.crc32(metadata["dcps"].encode() + data))


if __name__ == "__main__":
    cluster.main()
