"""dcps sim: the same to the last bit whenever and however it is run, and the same as real processes where these are deterministic."""
import csv
import json
import os
import signal
import subprocess

import cluster
import simulation

STEPS, BATCH = (40, 10) if cluster.SANITIZED else (80, 50)
SMALL = ["--model", "cnn", "--model-opt", "filters=16", "--model-opt", "hidden=16", "--model-opt", "samples=%d" % (STEPS // 2 * BATCH), "--epochs", "2",
         "--batch-size", str(BATCH), "--warmup-epochs", "0"]


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class SimTest(simulation.SimulationTest):
    def results(self, command, name, *arguments):
        """The bytes of results.json."""
        out = os.path.join(self.folder, name)
        self.dcps(command, *SMALL, *arguments, "--out", out)
        with open(os.path.join(out, "results.json"), "rb") as file:
            return file.read()

    def test_same_bits(self):
        for algorithm in ("dc-asgd-a",) if cluster.SANITIZED else ("dc-asgd-a", "ssgd", "dana-dc"):
            arguments = ["--algorithm", algorithm, "--workers", "5", "--step-time", "exponential:100ms"]
            first = self.results("sim", "a", *arguments, "--threads", "1")
            self.assertEqual(first, self.results("sim", "b", *arguments, "--threads", "3"), algorithm)
            self.assertNotEqual(first, self.results("sim", "c", *arguments, "--seed", "2"))

    def write_text(self):
        """Something for a language model to read."""
        for split in ("train", "valid", "test"):
            with open(os.path.join(self.folder, "ptb.%s.txt" % split), "w", encoding="utf-8") as file:
                file.write("".join(" one two three four %s \n" % "abcdefg"[line % 7 * line % 7] for line in range(500)))

    def test_state_of_each_worker(self):
        """A language model carries its state from batch to batch: each worker has its own, whoever computes for it."""
        self.write_text()
        arguments = ["--model", "lstm", "--data", self.folder, "--model-opt", "hidden=8", "--batch-size", "4", "--epochs", "1", "--algorithm", "asgd", "--workers", "3"]
        digests = {self.run_of(*arguments, "--threads", str(threads))["weights_digest"] for threads in (1, 2, 2, 3)}
        self.assertEqual(len(digests), 1)

    def test_one_worker_is_a_real_one(self):
        """With one worker nothing depends on time, so that a real run, which takes its own time, must come to the same weights and hence to the same figures."""
        for algorithm in ("dc-asgd-a",) if cluster.SANITIZED else ("sgd", "dc-asgd-a"):
            curves = []
            for command in ("sim", "run"):
                document = json.loads(self.results(command, command, "--algorithm", algorithm, "--workers", "1", "--threads", "1"))
                curves.append([(point["epoch"], point["train_loss"], point["metrics"]) for point in document["runs"][0]["curve"]])
            self.assertEqual(len(curves[0]), 2)
            self.assertEqual(curves[0], curves[1])

    def test_staleness_of_equal_workers(self):
        run = self.run_of(*SMALL, "--algorithm", "asgd", "--workers", "8", "--step-time", "constant:100ms")
        self.assertEqual(run["updates"], STEPS)
        self.assertEqual(run["staleness"]["max"], 7)
        self.assertEqual(run["staleness"]["p50"], 7)
        self.assertAlmostEqual(run["staleness"]["mean"], (sum(range(8)) + (STEPS - 8) * 7) / STEPS)

    def test_probe_changes_nothing(self):
        for algorithm in ("dc-asgd-b",) if cluster.SANITIZED else ("asgd", "dc-asgd-b", "dana-dc"):
            # Two servers of two shards and small blocks: the weights are put together from all of them.
            arguments = ["--algorithm", algorithm, "--workers", "5", "--step-time", "exponential:100ms", "--servers", "2", "--block-params", "1024"]
            folder = os.path.join(self.folder, algorithm)
            plain = self.results("sim", "plain", *arguments, "--threads", "2")
            probed = self.results("sim", "probed", *arguments, "--threads", "3", "--probe", folder, "--probe-every", "5", "--probe-vectors", "2")
            self.assertEqual(plain, probed, algorithm)
            lines = read_csv(os.path.join(folder, "probe.csv"))
            self.assertEqual("running" in {line["candidate"] for line in lines}, algorithm != "asgd")
            self.assertGreater(len({line["batch"] for line in lines}), STEPS // 10 if cluster.SANITIZED else 10)
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
        self.write_text()
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

    def test_many_steps_on_few_cores(self):
        """Each costs the same, however many have been."""
        run = self.run_of("--no-gradients", "--params", "1000", "--shards", "1", "--workers", "4", "--cores", "2", "--batch-size", "1", "--epochs", "1",
                          "--samples", "60000")
        self.assertEqual(run["updates"], 60000)
        self.assertAlmostEqual(run["seconds"], 60000 * 0.1 / 2, delta=60)

    def test_far_behind(self):
        """The run's mean and maximum are those of its workers, also beyond what has a bucket of its own."""
        run = self.run_of("--no-gradients", "--params", "1000", "--servers", "1", "--shards", "1", "--workers", "1024", "--step-time", "exponential:100ms",
                          "--batch-size", "1", "--samples", "10240", "--epochs", "1")
        workers = run["per_worker"]
        self.assertGreater(run["staleness"]["max"], 2000)
        self.assertEqual(run["staleness"]["max"], max(worker["staleness"]["max"] for worker in workers if worker["pushes"]["applied"] > 0))
        total = sum(worker["staleness"]["mean"] * worker["pushes"]["applied"] for worker in workers if worker["pushes"]["applied"] > 0)
        self.assertAlmostEqual(run["staleness"]["mean"], total / run["pushes"]["applied"], places=6)

    def test_environment_is_not_the_servers(self):
        """What a variable means to dcps-server it does not mean to a simulation."""
        config = os.path.join(self.folder, "config")
        with open(config, "w", encoding="utf-8") as file:
            file.write("params = 1000\nno-gradients = true\nepochs = 1\n")
        for variables in ({"DCPS_SERVERS": "2"}, {"DCPS_BIND": "0.0.0.0:1"}, {"DCPS_CONFIG": config}):
            done = subprocess.run([os.path.join(cluster.BIN, "dcps"), "sim", "--no-gradients", "--params", "1000", "--shards", "3", "--json"], capture_output=True, text=True,
                                  env={**os.environ, **variables}, timeout=60 * cluster.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            shards = json.loads(done.stdout.splitlines()[-1])["run"]["per_shard"]
            self.assertEqual(len(shards), 6 if "DCPS_SERVERS" in variables else 3)

    def test_divergence_ends_early(self):
        run = self.run_of(*SMALL, "--algorithm", "asgd", "--workers", "8", "--learning-rate", "1e6")
        self.assertLess(run["updates"], STEPS)
        self.assertIsNone(run["curve"][-1]["train_loss"])

    def test_rate_for_momentum(self):
        """What a model recommends is for steps without momentum: that is said where it meets a rule that has some, and only there."""
        words = "quadratic recommends a learning rate of 0.1 for SGD without momentum; with a momentum of 0.9"
        for arguments, warned in ((["--algorithm", "ormo"], True), (["--algorithm", "asgd", "--optimizer", "nesterov"], True), (["--algorithm", "asgd"], False),
                                  (["--algorithm", "ormo", "--learning-rate", "0.01"], False)):
            done = self.dcps("sim", "--model", "quadratic", "--epochs", "1", "--workers", "2", *arguments)
            self.assertEqual(words in done.stderr, warned, done.stderr)
        done = self.dcps("compare", "--virtual", "--model", "quadratic", "--epochs", "1", "--runs", "ormo@2,dana-zero@2,asgd@2", "--sweep", "ormo:learning-rate=0.01:0.02",
                         "--out", os.path.join(self.folder, "c"))
        self.assertEqual([line.split(":")[-2].split()[-1] for line in done.stderr.splitlines() if words in line], ["dana-zero@2"], done.stderr)

    def test_interrupt(self):
        process = subprocess.Popen([os.path.join(cluster.BIN, "dcps"), "sim", "--model", "mlp", "--epochs", "1000", "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertIn("progress", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30 * cluster.PATIENCE)
        self.assertEqual(process.returncode, 1)


if __name__ == "__main__":
    cluster.main()
