"""The programs as a user runs them: clusters from one command, comparison, resumption on other shards, exactness over real sockets."""
import json
import os
import signal
import struct
import subprocess
import unittest

import cluster

BATCH = 512 if cluster.SANITIZED else 128


def read_safetensors(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(length))
        data = file.read()
    head.pop("__metadata__")
    return {name: data[slice(*tensor["data_offsets"])] for name, tensor in head.items()}


class EndToEndTest(cluster.ClusterTest):
    def train(self, algorithm, workers, shards, *extra, epochs=1, batch=BATCH, worker_flags=()):
        """Trains and returns the tensors of the final checkpoint."""
        name = "run%d" % len(self.processes)
        folder = os.path.join(self.folder, name)
        server = self.start_server("--workers", workers, "--shards", shards, "--algorithm", algorithm, "--epochs", epochs,
                                   "--batch-size", batch, "--learning-rate", 0.1, "--checkpoint-dir", folder, *extra, name=name)
        all_workers = [self.start_worker(server.address, *worker_flags, name="worker-%s-%d" % (name, i)) for i in range(workers)]
        for worker in all_workers:
            self.wait_exit(worker, 120)
        self.stop(server)
        return read_safetensors(os.path.join(folder, "dcps-0-of-1.safetensors"))

    def test_one_worker_is_deterministic_on_any_shards_and_rule(self):
        one = self.train("sgd", 1, 1)
        self.assertIn("fc1.weight", " ".join(one))
        self.assertEqual(one, self.train("dc-asgd-c", 1, 3))  # no staleness: nothing to compensate
        if not cluster.SANITIZED:
            self.assertEqual(one, self.train("sgd", 1, 2))
            self.assertEqual(one, self.train("ssgd", 1, 2))
            self.assertEqual(one, self.train("asgd", 1, 2, "--block-params", 1024))
        self.assertNotEqual(one, self.train("sgd", 1, 1, "--seed", 12345))

    def test_one_worker_equals_serial_training(self):
        serial = subprocess.run([os.path.join(cluster.BIN, "..", "tests", "serial_train"), "--model-opt", "hidden=16", "--epochs", "1",
                                 "--batch-size", str(BATCH), "--learning-rate", "0.1", "--save", os.path.join(self.folder, "serial.bin")], capture_output=True, text=True)
        self.assertEqual(serial.returncode, 0, serial.stderr)
        served = self.train("sgd", 1, 2)
        with open(os.path.join(self.folder, "serial.bin"), "rb") as file:
            expected = file.read()
        # Layout order: layer by layer, weight before bias.
        names = sorted(served, key=lambda name: (name.split(".")[0], name.endswith("bias")))
        got = b"".join(served[name] for name in names)
        self.assertEqual(len(got), len(expected))
        self.assertEqual(got, expected)

    def test_synchronous_runs_are_reproducible(self):
        self.assertEqual(self.train("ssgd", 3, 2), self.train("ssgd", 3, 1))

    def test_resume_on_other_shards(self):
        folder = os.path.join(self.folder, "kept")
        self.train_slowly(40, 16000)
        flags = ["--algorithm", "dc-asgd-a", "--optimizer", "momentum", "--momentum", 0.5, "--epochs", 2, "--batch-size", 16, "--workers", 2,
                 "--learning-rate", 0.02, "--block-params", 1024, "--checkpoint-dir", folder]
        server = self.start_server("--shards", 2, *flags)
        workers = [self.start_worker(server.address) for _ in range(2)]
        self.wait_samples(server.address, 800)
        server.signal(signal.SIGTERM)
        self.wait_exit(server, 20)
        for worker in workers:
            self.wait_exit(worker, 20)
        path = os.path.join(folder, "dcps-0-of-1.safetensors")
        kept = read_safetensors(path)
        self.train_fast()
        self.assertTrue(any(name.startswith("momentum/") for name in kept), sorted(kept))
        self.assertTrue(any(name.startswith("mean_square/") for name in kept), sorted(kept))
        resumed = self.start_server("--shards", 5, "--resume", "yes", *flags, name="resumed")
        workers = [self.start_worker(resumed.address, name="worker-resumed%d" % i) for i in range(2)]
        for worker in workers:
            self.wait_exit(worker, 120)
        status = self.wait_all_samples(resumed.address, 32000)[0]
        self.assertGreater(status["pushes_applied"], 0)
        self.assertLessEqual(status["pushes_applied"], (32000 - 800) / 16 * 5)  # of five blocks; it did not begin anew
        self.stop(resumed)

    def test_run_and_compare(self):
        out = os.path.join(self.folder, "out")
        runs = [("sgd", 1), ("ssgd", 2), ("dc-asgd-a", 2)] if cluster.SANITIZED else [("sgd", 1), ("ssgd", 2), ("asgd", 2), ("dc-asgd-c", 2), ("dc-asgd-a", 2)]
        compare = self.start("compare", "dcps", "compare", "--model", "mlp", "--model-opt", "hidden=16", "--runs", ",".join("%s@%d" % run for run in runs), "--epochs", "1", "--batch-size", "128", "--learning-rate", "0.1", "--warmup-epochs", "0", "--out", out)
        started = set()

        def ended():
            started.update(cluster.children(compare.process.pid))
            return compare.code is not None
        self.wait("the end", ended, 300)
        self.assertEqual(compare.code, 0, compare.describe())
        self.assertGreaterEqual(len(started), sum(1 + workers for _, workers in runs))  # a server for each run, and its workers
        self.assertEqual([pid for pid in started if cluster.alive(pid)], [])
        with open(os.path.join(out, "results.json")) as file:
            results = json.load(file)
        self.assertEqual(results["schema"], "dcps-results/1")
        self.assertEqual([(run["algorithm"], run["workers"]) for run in results["runs"]], runs)
        for run in results["runs"]:
            self.assertEqual(run["samples"], 60000)
            self.assertLess(run["metrics"]["test_error"], 0.50)  # 0.90 untrained; staleness, and so the rest, is up to the machine
            self.assertEqual(run["curve"][-1]["epoch"], 1.0)
            self.assertIn(run["algorithm"], compare.out)
        self.assertEqual(results["runs"][0]["staleness"]["max"], 0)
        self.assertEqual(results["runs"][1]["staleness"]["max"], 0)
        with open(os.path.join(out, "report.html")) as file:
            report = file.read()
        self.assertNotRegex(report, r"(src|href)=[\"']https?://")

    def test_staleness_is_measured(self):
        """Workers that take 4 ms for each of 1,000 steps are there together on any machine."""
        out = os.path.join(self.folder, "out")
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), "compare", *cluster.paced(4, 16000), "--runs", "ssgd@2,asgd@2", "--epochs", "1",
                               "--batch-size", "16", "--out", out], capture_output=True, text=True, timeout=300 * cluster.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(out, "results.json")) as file:
            synchronous, asynchronous = json.load(file)["runs"]
        self.assertEqual((synchronous["samples"], asynchronous["samples"]), (16000, 16000))
        self.assertEqual(synchronous["staleness"]["max"], 0)
        self.assertGreater(asynchronous["staleness"]["mean"], 0)
        self.assertLess(asynchronous["staleness"]["mean"], 2)

    def test_wrong_model_options_are_usage(self):
        for option, message in (("hidden=none", "hidden"), ("depth=3", "depth"), ("nonsense", "nonsense")):
            worker = self.start("worker-" + option, "dcps-worker", "--servers", "127.0.0.1:1", "--model", "mlp", "--model-opt", option)
            self.wait_exit(worker, 20, code=2)
            self.assertIn(message, worker.err)
        run = self.start("run", "dcps", "run", "--model", "mlp", "--model-opt", "depth=3", "--epochs", "1")
        self.wait_exit(run, 30, code=2)
        self.assertIn("depth", run.err)

    def test_interrupted_run_stops_everything(self):
        out = os.path.join(self.folder, "out")
        run = self.start("run", "dcps", "run", "--model", "mlp", "--model-opt", "hidden=16", "--algorithm", "asgd", "--workers", "2", "--epochs",
                         "200", "--out", out, "--checkpoint-dir", os.path.join(self.folder, "checkpoints"))
        self.wait("progress", lambda: "samples/s" in run.out + run.err or "epoch" in run.out + run.err, 30)
        started = cluster.children(run.process.pid)
        self.assertGreaterEqual(len(started), 3)
        run.signal(signal.SIGINT)
        self.wait("the end", lambda: run.code is not None, 30)
        self.assertNotEqual(run.code, 0)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "checkpoints", "dcps-0-of-1.safetensors")), run.describe())
        self.assertEqual([pid for pid in started if cluster.alive(pid)], [])


if __name__ == "__main__":
    cluster.main()
