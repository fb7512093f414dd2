"""dcps sim: the same to the last bit whenever and however it is run, the same as real processes where these are deterministic, and times as arithmetic has them."""
import csv
import json
import os
import signal
import subprocess
import time

import cluster

SMALL = ["--model", "cnn", "--model-opt", "filters=16", "--model-opt", "hidden=16", "--model-opt", "samples=2000", "--epochs", "2", "--batch-size", "50", "--warmup-epochs", "0"]


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class SimTest(cluster.ClusterTest):
    def dcps(self, *arguments, code=0):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DCPS_")}
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), *arguments], capture_output=True, text=True, env=environment,
                              timeout=120 * cluster.PATIENCE)
        self.assertEqual(done.returncode, code, "%s\n%s%s" % (arguments, done.stdout, done.stderr))
        return done

    def results(self, command, name, *arguments):
        """The bytes of results.json."""
        out = os.path.join(self.folder, name)
        self.dcps(command, *SMALL, *arguments, "--out", out)
        with open(os.path.join(out, "results.json"), "rb") as file:
            return file.read()

    def run_of(self, *arguments):
        lines = self.dcps("sim", *arguments, "--json").stdout.splitlines()
        return json.loads(lines[-1])["run"]

    def timing(self, *arguments):
        return self.run_of("--no-gradients", "--epochs", "1", "--batch-size", "10", *arguments)

    def test_same_bits(self):
        for algorithm in ("dc-asgd-a", "ssgd", "dana-dc"):
            arguments = ["--algorithm", algorithm, "--workers", "5", "--step-time", "exponential:100ms"]
            first = self.results("sim", "a", *arguments, "--threads", "1")
            self.assertEqual(first, self.results("sim", "b", *arguments, "--threads", "3"), algorithm)
            self.assertNotEqual(first, self.results("sim", "c", *arguments, "--seed", "2"))

    def test_one_worker_is_a_real_one(self):
        """With one worker nothing depends on time, so that a real run, which takes its own time, must come to the same weights and hence to the same figures."""
        for algorithm in ("sgd", "dc-asgd-a"):
            curves = []
            for command in ("sim", "run"):
                document = json.loads(self.results(command, command, "--algorithm", algorithm, "--workers", "1", "--threads", "1"))
                curves.append([(point["epoch"], point["train_loss"], point["metrics"]) for point in document["runs"][0]["curve"]])
            self.assertEqual(len(curves[0]), 2)
            self.assertEqual(curves[0], curves[1])

    def test_staleness_of_equal_workers(self):
        run = self.run_of(*SMALL, "--algorithm", "asgd", "--workers", "8", "--step-time", "constant:100ms")
        self.assertEqual(run["updates"], 80)
        self.assertEqual(run["staleness"]["max"], 7)
        self.assertEqual(run["staleness"]["p50"], 7)
        self.assertAlmostEqual(run["staleness"]["mean"], (sum(range(8)) + 72 * 7) / 80)

    def test_round_waits_for_the_slowest(self):
        """E[max of 4 exponentials of mean 1] = 1 + 1/2 + 1/3 + 1/4."""
        run = self.timing("--algorithm", "ssgd", "--workers", "4", "--params", "1000", "--samples", "40000", "--step-time", "exponential:100ms")
        self.assertEqual(run["updates"], 1000)
        self.assertAlmostEqual(run["seconds"] / 1000, 0.1 * (1 + 1 / 2 + 1 / 3 + 1 / 4), delta=0.012)

    def test_time_of_a_step(self):
        """One worker, one block: computing, the gradient's way, the update, and the way of the weights, one after another."""
        run = self.timing("--algorithm", "asgd", "--workers", "1", "--shards", "1", "--params", "250000", "--block-params", "262144", "--samples", "1000",
                          "--step-time", "constant:10ms", "--latency", "500", "--bandwidth", "800", "--update-rate", "50e6")
        step = 0.010 + 2 * (0.0005 + 1e6 / 100e6) + 250000 / 50e6
        self.assertEqual(run["updates"], 100)
        # Training is counted from the first weights to the last update. A header is some tens of bytes, and half a way back more or less is within the limits.
        self.assertAlmostEqual(run["seconds"], 100 * step, delta=0.012)

    def test_link_of_the_server(self):
        """Sixteen workers of 1 MB each share a server's link of 100 MB/s in each direction: 10 ms a push, however short their steps."""
        run = self.timing("--algorithm", "asgd", "--workers", "16", "--shards", "4", "--params", "250000", "--samples", "16000", "--step-time",
                          "constant:5ms", "--bandwidth", "800")
        self.assertAlmostEqual(run["seconds"] / 1600, 0.010, delta=0.0003)

    def test_shared_cores(self):
        alone = self.timing("--algorithm", "asgd", "--workers", "4", "--params", "1000", "--samples", "4000", "--step-time", "constant:100ms")
        shared = self.timing("--algorithm", "asgd", "--workers", "4", "--params", "1000", "--samples", "4000", "--step-time", "constant:100ms",
                             "--cores", "2")
        self.assertAlmostEqual(shared["seconds"] / alone["seconds"], 2.0, delta=0.05)

    def test_updates_share_cores(self):
        """Two workers compute for 10 ms, and an update of theirs takes 10 ms. With a core for each a worker pushes every 20 ms; on one core, all of it takes its turn."""
        arguments = ["--algorithm", "asgd", "--workers", "2", "--shards", "1", "--params", "100000", "--samples", "4000", "--step-time", "constant:10ms",
                     "--update-rate", "10e6"]
        enough = self.timing(*arguments, "--cores", "3")
        self.assertAlmostEqual(enough["seconds"] / 400, 0.010, delta=0.0005)
        self.assertEqual(enough["seconds"], self.timing(*arguments)["seconds"])
        self.assertAlmostEqual(self.timing(*arguments, "--cores", "1")["seconds"] / 400, 0.020, delta=0.0005)

    def test_updates_take_their_turn(self):
        """Eight workers compute for 5 ms; the one shard needs 10 ms for each of their gradients, and twice as many shards half of that."""
        arguments = ["--algorithm", "asgd", "--workers", "8", "--params", "100000", "--samples", "8000", "--step-time", "constant:5ms", "--update-rate", "10e6",
                     "--block-params", "10000"]
        for shards in (1, 2):
            run = self.timing(*arguments, "--shards", str(shards))
            self.assertAlmostEqual(run["seconds"] / 800, 0.010 / shards, delta=0.0003)

    def test_stops(self):
        """A worker that stops for 1 s after 3 s on average computes three quarters of the time."""
        arguments = ["--algorithm", "asgd", "--workers", "8", "--params", "1000", "--samples", "160000", "--step-time", "constant:100ms",
                     "--lease-ms", "60000"]
        without = self.timing(*arguments)
        stops = self.timing(*arguments, "--stops", "3s:1s")
        self.assertAlmostEqual(without["seconds"] / stops["seconds"], 0.75, delta=0.04)

    def test_large_cluster(self):
        began = time.monotonic()
        run = self.timing("--algorithm", "asgd", "--workers", "1024", "--shards", "64", "--params", "1000000", "--samples", "51200", "--step-time",
                          "gamma:1s")
        self.assertGreater(run["staleness"]["mean"], 800)
        print("1,024 workers and 64 shards, 5 steps: %.1f s" % (time.monotonic() - began))

    def test_probe_changes_nothing(self):
        for algorithm in ("asgd", "dc-asgd-b", "dana-dc"):
            # Two servers of two shards and small blocks: the weights are put together from all of them.
            arguments = ["--algorithm", algorithm, "--workers", "5", "--step-time", "exponential:100ms", "--servers", "2", "--block-params", "1024"]
            folder = os.path.join(self.folder, algorithm)
            plain = self.results("sim", "plain", *arguments, "--threads", "2")
            probed = self.results("sim", "probed", *arguments, "--threads", "3", "--probe", folder, "--probe-every", "5", "--probe-vectors", "2")
            self.assertEqual(plain, probed, algorithm)
            lines = read_csv(os.path.join(folder, "probe.csv"))
            self.assertEqual("running" in {line["candidate"] for line in lines}, algorithm != "asgd")
            self.assertGreater(len({line["batch"] for line in lines}), 10)
            if algorithm != "dana-dc":  # what it sends is ahead of the weights, also where nobody else came between
                self.assertGreater(min(int(line["staleness"]) for line in lines), 0)
            tensors = {line["tensor"] for line in read_csv(os.path.join(folder, "tensors.csv"))}
            self.assertIn("fc1.weight", tensors)
            self.assertFalse([name for name in tensors if name.endswith(("mean", "variance"))])  # averaged, not trained

    def test_probe_finds_the_change(self):
        """Softmax regression with steps so small that the loss is a quadratic along each drift: the Hessian explains the change, and it is no diagonal."""
        folder = os.path.join(self.folder, "probe")
        self.dcps("sim", "--model", "mlp", "--model-opt", "hidden=", "--algorithm", "asgd", "--workers", "4", "--epochs", "1", "--learning-rate", "0.001",
                  "--warmup-epochs", "0", "--probe", folder, "--probe-rules", "dc-c:lambda=1", "--probe-vectors", "1", "--probe-samples=false")
        lines = read_csv(os.path.join(folder, "probe.csv"))
        self.assertEqual({line["candidate"] for line in lines}, {"dc-c:lambda=1", "scale", "drift", "sign", "square", "outer"})
        for line in lines:
            change, product, both = (float(line[name]) for name in ("change_square", "product_square", "change_product"))
            self.assertGreater(both / (change * product) ** 0.5, 0.999)
            self.assertAlmostEqual(product / change, 1.0, delta=0.05)
        of = {line["candidate"]: line for line in lines if line["batch"] == lines[-1]["batch"]}
        for name in ("correction_square", "correction_change", "correction_product"):
            self.assertAlmostEqual(float(of["dc-c:lambda=1"][name]) / float(of["square"][name]), 1.0, delta=1e-3)

    def test_wrong_probes(self):
        for split in ("train", "valid", "test"):
            with open(os.path.join(self.folder, "ptb.%s.txt" % split), "w", encoding="utf-8") as file:
                file.write(" one two three four <unk> \n" * 500)
        for arguments, code, word in ((["--model", "lstm", "--data", self.folder], 2, "carries state"), (["--no-gradients", "--params", "1000"], 2, "--probe"),
                                      ([*SMALL, "--probe-rules", "dc-z"], 2, "dc-z"), ([*SMALL, "--probe-every", "0"], 2, "probe-every"),
                                      ([*SMALL, "--probe", "/dev/null/x"], 1, "/dev/null")):
            folder = [] if "/dev/null/x" in arguments else ["--probe", os.path.join(self.folder, "probe")]
            self.assertIn(word, self.dcps("sim", *arguments, *folder, code=code).stderr)

    def test_wrong_usage(self):
        for arguments, word in ((["--step-time", "gamma"], "--step-time"), (["--step-time", "poisson:1ms"], "poisson"), (["--stops", "3s"], "--stops"),
                                (["--stops", "0s:1s"], "--stops"), (["--no-gradients"], "--params"), (["--bandwidth", "-1"], "bandwidth"),
                                (["--algorithm", "magic"], "magic"), (["--learning-rate", "x"], "learning-rate"), (["--device", "gpu"], "--device"),
                                (["--model-opt", "magic=1"], "magic"), (["--workers", "2000"], "workers")):
            self.assertIn(word, self.dcps("sim", *arguments, code=2).stderr)

    def test_divergence_ends_early(self):
        run = self.run_of(*SMALL, "--algorithm", "asgd", "--workers", "8", "--learning-rate", "1e6")
        self.assertLess(run["updates"], 80)
        self.assertIsNone(run["curve"][-1]["train_loss"])

    def test_interrupt(self):
        process = subprocess.Popen([os.path.join(cluster.BIN, "dcps"), "sim", "--model", "mlp", "--epochs", "1000", "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertIn("progress", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30 * cluster.PATIENCE)
        self.assertEqual(process.returncode, 1)


if __name__ == "__main__":
    cluster.main()
