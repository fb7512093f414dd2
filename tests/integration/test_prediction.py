"""docs/results/prediction: that the comparison of real and simulated speed runs and writes what it says. How near the two come is for a quiet machine, not for a test."""
import json
import os
import subprocess
import sys

import cluster

FOLDER = os.path.join(os.environ.get("DCPS_SOURCE_DIR", "."), "docs", "results", "prediction")


class PredictionTest(cluster.ClusterTest):
    def predict(self, *arguments):
        command = [sys.executable, "-B", os.path.join(FOLDER, "predict.py"), "--out", self.folder, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=200 * cluster.PATIENCE,
                              env={**os.environ, "DCPS": os.path.join(cluster.BIN, "dcps")})

    def test_small(self):
        with open(os.path.join(FOLDER, "README.md"), encoding="utf-8") as file, open(os.path.join(self.folder, "README.md"), "w", encoding="utf-8") as copy:
            copy.write(file.read())
        done = self.predict("--algorithms", "asgd", "--workers", "1,2", "--batches", "6", "--epochs", "2", "--repeats", "1", "--bench-steps", "5")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.folder, "prediction.json"), encoding="utf-8") as file:
            runs = json.load(file)["runs"]
        self.assertEqual([(run["algorithm"], run["workers"]) for run in runs], [("asgd", 1), ("asgd", 2)])
        for run in runs:
            self.assertGreater(run["real"], 0)
            self.assertAlmostEqual(run["error"], run["predicted"] / run["real"] - 1)
            self.assertTrue(0 <= run["staleness_distance"] <= 1, run)
        self.assertEqual([runs[0][name] for name in ("staleness_mean_real", "staleness_mean_predicted", "staleness_p99_real", "staleness_p99_predicted", "staleness_distance")], [0] * 5)
        with open(os.path.join(self.folder, "README.md"), encoding="utf-8") as file:
            self.assertIn("| asgd@2 | %.0f |" % runs[1]["real"], file.read())

    def test_wrong_usage(self):
        for arguments, words in ((["--workers", "2,4"], "--workers needs 1"), (["--epochs", "1"], "--epochs needs to be 2")):
            done = self.predict(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)

    def test_failure_is_told(self):
        done = self.predict("--model", "no-such-model", "--repeats", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-model", done.stderr)


if __name__ == "__main__":
    cluster.main()
