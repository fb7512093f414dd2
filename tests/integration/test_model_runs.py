"""The models of examples/ on clusters of real processes, with data made up in the form of the published sets."""
import json
import math
import os
import struct
import subprocess
import unittest

import cluster
import made_up_sets

WORKERS = 4


def read_tensors(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(length))
        data = file.read()
    head.pop("__metadata__")
    return {name: struct.unpack("<%df" % ((tensor["data_offsets"][1] - tensor["data_offsets"][0]) // 4),
                                data[slice(*tensor["data_offsets"])]) for name, tensor in head.items() if tensor["dtype"] == "F32"}


class ModelTest(cluster.ClusterTest):
    def run_model(self, *arguments):
        out = os.path.join(self.folder, "out")
        kept = os.path.join(self.folder, "kept")
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), "run", "--data", self.folder, "--threads", "1", "--workers", str(WORKERS),
                               "--checkpoint-dir", kept, "--out", out, *map(str, arguments)],
                              capture_output=True, text=True, timeout=100 * cluster.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(out, "results.json")) as file:
            results = json.load(file)
        return done, results, read_tensors(os.path.join(kept, "dcps-0-of-1.safetensors"))

    def test_batch_norm_statistics_are_the_servers(self):
        """Four workers push statistics of their batches. Had the evaluation other ones than the servers', it would know nothing of the images."""
        samples = 80 if cluster.SANITIZED else 320
        made_up_sets.write_cifar10(self.folder)
        _, results, tensors = self.run_model("--model", "resnet", "--model-opt", "depth=8", "--model-opt", "samples=%d" % samples, "--model-opt", "augment=false",
                                             "--algorithm", "asgd", "--epochs", 3, "--batch-size", 16, "--learning-rate", 0.05, "--warmup-epochs", 0)
        run = results["runs"][0]
        self.assertEqual((run["updates"], run["samples"]), (3 * samples // 16, 3 * samples))
        self.assertEqual(results["dataset"], "cifar10")
        self.assertEqual(len(run["curve"]), 3)
        means = {name: values for name, values in tensors.items() if name.endswith(".mean") and "/" not in name}
        variances = {name: values for name, values in tensors.items() if name.endswith(".variance") and "/" not in name}
        self.assertEqual((len(means), len(variances)), (7, 7))
        for name, values in {**means, **variances}.items():
            self.assertTrue(all(math.isfinite(value) for value in values), name)
            start = 1.0 if name in variances else 0.0
            self.assertGreater(sum(value != start for value in values), 0.9 * len(values), name)
        self.assertTrue(all(value > 0 for values in variances.values() for value in values))
        self.assertLess(run["metrics"]["test_error"], 1.0 if cluster.SANITIZED else 0.3)  # a few steps teach nothing

    def test_language_model_learns_with_workers_of_its_own_parts(self):
        made_up_sets.write_ptb(self.folder)
        done, results, _ = self.run_model("--model", "lstm", "--model-opt", "hidden=16", "--model-opt", "layers=1", "--model-opt", "bptt=5",
                                          "--algorithm", "ssgd", "--epochs", 10, "--batch-size", 5)
        run = results["runs"][0]
        self.assertEqual(results["dataset"], "ptb")
        self.assertEqual(run["samples"], 10 * ((500 * 9 - 1) // 5))
        curve = [point["metrics"]["test_perplexity"] for point in run["curve"]]
        self.assertEqual(len(curve), 10)
        self.assertLess(curve[-1], 1.1)
        self.assertLess(curve[-1], curve[0])
        self.assertTrue(math.isclose(run["metrics"]["test_loss"], math.log(run["metrics"]["test_perplexity"]), rel_tol=1e-6))
        self.assertIn("test perplexity", done.stdout)
        with open(os.path.join(self.folder, "out", "report.html")) as file:
            self.assertIn('"test_perplexity"', file.read())


if __name__ == "__main__":
    cluster.main()
