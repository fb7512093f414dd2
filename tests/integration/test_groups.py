"""One slow worker among equal ones, in real processes: what it does to staleness, waiting and losses, and where that shows."""
import collections
import json
import os
import re
import statistics
import subprocess
import unittest

import cluster

STEP_MS = 8
FACTOR = 6
BATCHES = 100 if cluster.SANITIZED else 300  # an epoch


def bucket_of(staleness):
    """The first value of its bucket: below 16 itself, above an eighth of a power of two."""
    shift = max(staleness.bit_length() - 4, 0)
    return staleness >> shift << shift


def total(figures):
    return sum(count for _, count in figures.get("histogram", []))


def summed(histograms):
    """Counts by the first value of a bucket."""
    counts = collections.Counter()
    for histogram in histograms:
        for first, count in histogram:
            counts[first] += count
    return counts


class GroupsTest(cluster.ClusterTest):
    model = cluster.paced(STEP_MS * cluster.PATIENCE, 64 * BATCHES)

    def dcps(self, *arguments):
        return subprocess.run([os.path.join(cluster.BIN, "dcps"), *map(str, arguments)], capture_output=True, text=True, timeout=120 * cluster.PATIENCE)

    def run_with_a_slow_worker(self, algorithm, *flags):
        """The run in results.json, its slow worker, the others, and what was printed."""
        out = os.path.join(self.folder, algorithm)
        done = self.dcps("run", *self.model, "--algorithm", algorithm, "--workers", 4, "--groups", "slow:1:%d" % FACTOR, "--batch-size", 64, "--epochs", 2,
                         "--threads", 1, "--learning-rate", 0.001, "--out", out, *flags)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(out, "results.json")) as file:
            run = json.load(file)["runs"][0]
        slow = [worker for worker in run["per_worker"] if worker["group"] == "slow"]
        rest = [worker for worker in run["per_worker"] if worker["group"] == "rest"]
        self.assertEqual((len(slow), len(rest)), (1, 3), run["per_worker"])
        self.assertEqual(slow[0]["name"], "worker-3")
        self.check_sums(run)
        return run, slow[0], rest, done.stdout

    def check_sums(self, run):
        """What is counted in several places is the same in all."""
        applied = run["pushes"]["applied"]
        self.assertEqual(sum(count for _, count in run["staleness"]["histogram"]), applied)
        self.assertEqual(sum(worker["pushes"]["applied"] for worker in run["per_worker"]), applied)
        self.assertEqual(sum(shard["pushes"]["applied"] for shard in run["per_shard"]), applied)
        for name in ("dropped", "dropped_stale", "dropped_round", "duplicates"):
            self.assertEqual(sum(worker["pushes"][name] for worker in run["per_worker"]), run["pushes"][name], name)
        self.assertEqual(run["pushes"]["dropped"], run["pushes"]["dropped_stale"] + run["pushes"]["dropped_round"])
        stalest = [worker["staleness"]["max"] for worker in run["per_worker"] if worker["pushes"]["applied"] > 0]
        self.assertEqual(max(stalest), run["staleness"]["max"])
        self.check_histograms(run)

    def check_histograms(self, run):
        """Those of workers, of shards and of the run count the same pushes, and say what their summaries say."""
        everything = run["per_worker"] + run["per_shard"]
        for figures in everything:
            self.assertEqual(total(figures["staleness"]), figures["pushes"]["applied"], figures)
            self.assertGreaterEqual(total(figures["held_seconds"]), figures["pushes"]["applied"], figures)  # abstaining pushes, too
            for name in ("staleness", "held_seconds", "wait_seconds"):
                self.check_summary(figures.get(name, {}))
        for worker in run["per_worker"]:
            self.assertGreater(total(worker["wait_seconds"]), 0, worker)
        whole = summed([[(bucket_of(staleness), count) for staleness, count in run["staleness"]["histogram"]]])
        self.assertEqual(summed(worker["staleness"].get("histogram", []) for worker in run["per_worker"]), whole)
        self.assertEqual(summed(shard["staleness"].get("histogram", []) for shard in run["per_shard"]), whole)
        self.assertEqual(summed(worker["held_seconds"].get("histogram", []) for worker in run["per_worker"]),
                         summed(shard["held_seconds"].get("histogram", []) for shard in run["per_shard"]))

    def check_summary(self, figures):
        histogram = figures.get("histogram", [])
        self.assertEqual(histogram == [], figures.get("max") is None, figures)
        if histogram:
            firsts = [first for first, _ in histogram]
            self.assertEqual(firsts, sorted(set(firsts)))
            self.assertTrue(firsts[-1] <= figures["max"] + 1e-9 and figures["max"] <= 1.126 * firsts[-1] + 1e-9, figures)
            mean = sum(first * count for first, count in histogram) / total(figures)
            self.assertTrue(mean <= figures["mean"] + 1e-9 and figures["mean"] <= 1.126 * mean + 1e-9, figures)

    def test_asynchronous_runs_leave_the_slow_one_behind(self):
        run, slow, rest, printed = self.run_with_a_slow_worker("asgd")
        self.assertEqual(sum(worker["steps"] for worker in run["per_worker"]), run["updates"])
        self.assertLess(2 * slow["steps"], statistics.median(worker["steps"] for worker in rest))
        self.assertGreater(slow["staleness"]["mean"], 2 * statistics.median(worker["staleness"]["mean"] for worker in rest))
        self.assertGreaterEqual(slow["staleness"]["max"], slow["staleness"]["p99"])
        self.assertEqual(max(worker["held_seconds"]["p50"] for worker in run["per_worker"]), 0)  # nobody waits for anybody
        for word in ("group", "waiting", "backlog", "slow"):
            self.assertIn(word, printed)

    def test_synchronous_runs_hold_the_fast_ones(self):
        run, slow, rest, printed = self.run_with_a_slow_worker("ssgd")
        self.assertEqual(run["staleness"]["max"], 0)
        steps = [worker["steps"] for worker in run["per_worker"]]
        self.assertLessEqual(max(steps) - min(steps), 4)  # but for the last batches, which abstaining workers leave to others
        pause = (FACTOR - 1) * STEP_MS / 1000
        for worker in rest:
            self.assertGreater(worker["held_seconds"]["p50"], pause / 2)
            self.assertGreater(worker["wait_seconds"]["p50"], pause / 2)  # the same, as the worker sees it
            self.assertGreater(worker["wait_share"], slow["wait_share"])
        self.assertLess(slow["held_seconds"]["p50"], min(worker["held_seconds"]["p50"] for worker in rest) / 2)
        queues = [shard["queue"] for shard in run["per_shard"] if shard["pushes"]["applied"] > 0]
        self.assertTrue(all(queue["max"] >= 3 and queue["now"] == 0 and queue["mean"] > 0.5 for queue in queues), queues)
        self.assertIn("held mean", printed)

    def test_late_gradients_are_counted_by_reason(self):
        run, slow, rest, printed = self.run_with_a_slow_worker("ssgd", "--backup-workers", 1)
        self.assertGreater(slow["pushes"]["dropped_round"], 0)
        self.assertEqual(run["pushes"]["dropped_stale"], 0)
        self.assertGreater(slow["dropped"], sum(worker["dropped"] for worker in rest))
        self.assertIn("dropped", printed)
        run, slow, rest, _ = self.run_with_a_slow_worker("ringmaster", "--max-staleness", 8, "--servers", 2, "--shards", 3, "--block-params", 1024)
        self.assertEqual(len(run["per_shard"]), 6)
        self.assertGreater(slow["pushes"]["dropped_stale"], 0)
        self.assertEqual(run["pushes"]["dropped_round"], 0)
        self.assertLess(run["staleness"]["max"], 8)

    def test_simulated_runs_tell_the_same(self):
        """Steps of 100 ms and 600 ms on a network without delay: what each worker goes through is known."""
        arguments = ["sim", "--no-gradients", "--params", 1000, "--samples", 6400, "--epochs", 1, "--batch-size", 64, "--workers", 4, "--step-time",
                     "constant:100ms", "--groups", "slow:1:%d" % FACTOR]
        done = self.dcps(*arguments, "--algorithm", "ssgd", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        run = json.loads(done.stdout.splitlines()[-1])["run"]
        self.check_sums(run)
        pause = 0.1 * (FACTOR - 1)
        for worker in run["per_worker"]:
            expected = 0 if worker["group"] == "slow" else pause
            self.assertEqual(worker["steps"], 25)
            self.assertAlmostEqual(worker["wait_seconds"]["max"], expected)
            self.assertAlmostEqual(worker["held_seconds"]["max"], expected)
            self.assertAlmostEqual(worker["wait_share"], expected / (0.1 * FACTOR))
        done = self.dcps(*arguments, "--algorithm", "asgd")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("slow", done.stdout)
        self.assertNotIn("backlog", done.stdout)  # there is no socket

    @cluster.needs_node
    def test_reports_draw_what_each_went_through(self):
        """In simulations: with ssgd all wait for the slow one and there is no staleness, with asgd there is, and waiting for the last mini-batches alone."""
        arguments = ["sim", "--no-gradients", "--params", 1000, "--samples", 6400, "--epochs", 1, "--batch-size", 64, "--workers", 4, "--step-time",
                     "constant:100ms", "--groups", "slow:1:%d" % FACTOR]
        spreads = {"ssgd": ["wait p99", "held p99"], "asgd": ["max", "wait p99", "held p99"]}
        for algorithm, expected in spreads.items():
            page = os.path.join(self.folder, algorithm, "report.html")
            done = self.dcps(*arguments, "--algorithm", algorithm, "--out", os.path.dirname(page))
            self.assertEqual(done.returncode, 0, done.stderr)
            head, *rows = cluster.shown_by(page)["details"][0]["tables"][0]
            self.assertEqual([before for before, label in zip(head, head[1:]) if label == "spread"], expected)
            with open(page, encoding="utf-8") as file:
                text = file.read()
            before, data, after = re.split(r'(?<=id="data">\n)(.*?)(?=\n</script>)', text, maxsplit=1, flags=re.DOTALL)
            document = json.loads(data)
            self.check_bars(head, rows, document["results"]["runs"][0]["per_worker"])
            self.forget_histograms(document)
            with open(page, "w", encoding="utf-8") as file:
                file.write(before + json.dumps(document) + after)
            head, *rows = cluster.shown_by(page)["details"][0]["tables"][0]
            self.assertNotIn("spread", head)

    def check_bars(self, head, rows, workers):
        names = {"max": "staleness", "wait p99": "wait_seconds", "held p99": "held_seconds"}
        self.assertEqual(len(rows), len(workers))
        for row, worker in zip(rows, workers):
            for before, label, cell in zip(head, head[1:], row[1:]):
                if label == "spread":
                    histogram = worker[names[before]]["histogram"]
                    self.assertEqual(cell["bars"], len(histogram))
                    self.assertRegex(cell["title"], r"^0: %d \(" % histogram[0][1] if histogram[0][0] == 0 else r"^\S+( m?s)?: %d \(" % histogram[0][1])

    def forget_histograms(self, document):
        """A document of before."""
        run = document["results"]["runs"][0]
        for one in run["per_worker"] + run["per_shard"]:
            for name in ("staleness", "wait_seconds", "held_seconds"):
                one.get(name, {}).pop("histogram", None)

    def test_status_shows_workers_and_shards(self):
        self.train_slowly(STEP_MS, 64 * BATCHES)
        server = self.start_server("--workers", 2, "--shards", 2, "--algorithm", "ssgd", "--epochs", 1, "--batch-size", 64, "--block-params", 1024,
                                   "--learning-rate", 0.001)
        workers = [self.start_worker(server.address, "--name", "fast one"),
                   self.start_worker(server.address, "--name", "slow one", "--slowdown", FACTOR)]
        self.wait_samples(server.address, 64 * 20)
        table = self.dcps("status", server.address)
        self.assertEqual(table.returncode, 0, table.stderr)
        for word in ("fast one", "slow one", "held mean", "queue max", "backlog"):
            self.assertIn(word, table.stdout)
        document = json.loads(self.dcps("status", "--json", server.address).stdout)
        by_name = {worker["name"]: worker for worker in document["workers"]}
        self.assertGreater(by_name["fast one"]["held_seconds"]["p50"], 2 * by_name["slow one"]["held_seconds"]["p50"])
        self.assertGreater(by_name["slow one"]["steps"], 5)
        shards = document["servers"][0]["shards"]
        self.assertEqual([shard["shard"] for shard in shards], [0, 1])
        self.assertGreater(min(shard["pushes"]["applied"] for shard in shards), 0)
        for figures in document["workers"] + shards:
            self.assertGreater(total(figures["staleness"]), 0, figures)
            self.assertGreater(total(figures["held_seconds"]), 0, figures)
        self.train_fast()
        for worker in workers:
            self.wait_exit(worker, 60)
        report = json.loads(workers[0].out)
        self.assertEqual(report["wait"]["count"] > 0, True)
        self.assertGreaterEqual(report["wait"]["max"], report["wait"]["p99"])
        self.assertEqual(total(report["wait"]), report["wait"]["count"])

    def test_wrong_groups_are_refused(self):
        for arguments, text in [(["run", "--workers", 2, "--groups", "slow:3:4"], "3 workers are in groups, but asgd@2 has 2"),
                                (["compare", "--runs", "asgd@4,asgd@2", "--groups", "slow:3:4"], "3 workers are in groups, but asgd@2 has 2"),
                                (["sim", "--workers", 2, "--groups", "slow:3:4"], "3 workers are in groups, but asgd@2 has 2"),
                                (["run", "--groups", "slow:1:0.5"], "factor"), (["compare", "--groups", "slow"], "NAME:WORKERS:FACTOR")]:
            done = self.dcps(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(text, done.stderr)
        for factor in ("0.9", "-1", "nan", "x"):
            worker = self.start("refused", "dcps-worker", "--servers", "127.0.0.1:1", *self.model, "--slowdown", factor)
            self.wait_exit(worker, 20, 2)
            self.assertIn("slowdown", worker.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
