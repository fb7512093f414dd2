#!/usr/bin/env python3
"""Runs of real processes are recorded and done once more, to the last bit."""
import csv
import json
import os
import signal
import subprocess
import unittest

import cluster
import made_up_sets


SAMPLES = 3200 if cluster.SANITIZED else 8000


class TraceTest(cluster.ClusterTest):
    # Steps long enough that the workers are at it together; 200 of them or 500, in six blocks on two shards.
    model = cluster.paced(1, SAMPLES)
    settings = ["--workers", 4, "--shards", 2, "--epochs", 1, "--batch-size", 16, "--learning-rate", 0.05, "--block-params", 1024]

    def train(self, name, *flags, workers=4, settings=None):
        """One run to its end; the digest of its weights, and the server."""
        server = self.start_server(*(settings or self.settings), *flags, name=name)
        processes = [self.start_worker(server.address, name="worker-%s-%d" % (name, i)) for i in range(workers)]
        for process in processes:
            self.wait_exit(process, 60)
        digest = self.digest(server)
        self.stop(server)
        return digest, server

    def digest(self, server):
        return self.wait("the digest", lambda: self.answered(server.address)[0].get("weights_digest"), 20)

    def described(self, folder):
        with open(os.path.join(folder, "server-0.json")) as file:
            return json.load(file)

    def rows(self, folder, shard):
        """Of each block, in order: all but the times."""
        with open(os.path.join(folder, "shard-%d.csv" % shard)) as file:
            heading, *lines = [line.strip().split(",") for line in file]
        keep = [i for i, name in enumerate(heading) if name not in ("ns", "away_ns")]
        blocks = {}
        for line in lines:
            blocks.setdefault(line[1], []).append([line[i] for i in keep])
        return blocks

    def check_replays(self, *algorithm):
        first = os.path.join(self.folder, "first")
        recorded, server = self.train("recorded", *algorithm, "--record-trace", first)
        self.assertIn("trace recorded: " + first, server.err)
        self.assertTrue(self.described(first)["complete"])
        self.assertEqual(self.described(first)["weights_digest"], recorded)
        again = os.path.join(self.folder, "again")
        replayed, server = self.train("replayed", *algorithm, "--replay-trace", first, "--record-trace", again)
        self.assertEqual(replayed, recorded)
        self.assertIn("the weights are the same to the last bit", server.err)
        for shard in range(2):
            self.assertEqual(self.rows(again, shard), self.rows(first, shard))
        self.assertEqual(self.train("twice", *algorithm, "--replay-trace", again)[0], recorded)
        # Left to themselves they do something else, or this shows nothing.
        self.assertNotEqual(self.train("free", *algorithm)[0], recorded)

    def test_dc_asgd_a(self):
        self.check_replays("--algorithm", "dc-asgd-a")

    def test_dana_dc(self):
        self.check_replays("--algorithm", "dana-dc", "--momentum", 0.5)

    def test_rounds_with_backup_workers(self):
        self.check_replays("--algorithm", "ssgd", "--backup-workers", 1)
        with open(os.path.join(self.folder, "first", "shard-0.csv")) as file:
            self.assertIn(",dropped,", file.read())

    def test_other_settings_are_refused(self):
        folder = os.path.join(self.folder, "trace")
        self.train("recorded", "--algorithm", "asgd", "--record-trace", folder)
        for change, message in ((["--seed", 2], "use the same --seed"), (["--learning-rate", 0.06], "learning rate 0.06"),
                                (["--shards", 1], "use the same --shards"), (["--algorithm", "dc-asgd-c"], "algorithm dc-asgd-c"),
                                (["--record-trace", folder], "holds a trace already")):
            server = self.start("refused" + change[0], "dcps-server", *self.settings, "--algorithm", "asgd", "--replay-trace", folder, *change)
            self.wait_exit(server, 20, code=1)
            self.assertIn(message, server.err)
        self.model = cluster.paced(1, SAMPLES + 16)
        server = self.start_server(*self.settings, "--algorithm", "asgd", "--replay-trace", folder, name="another-model")
        self.start_worker(server.address)
        self.wait_exit(server, 20, code=1)
        self.assertIn("%d samples an epoch, this one has %d" % (SAMPLES, SAMPLES + 16), server.err)

    def test_incomplete_traces_are_refused(self):
        folder = os.path.join(self.folder, "trace")
        self.train_slowly(20, 16000)
        server = self.start_server(*self.settings, "--lease-ms", 500, "--record-trace", folder)
        workers = [self.start_worker(server.address) for _ in range(4)]
        self.wait_samples(server.address, 500)
        self.assertFalse(self.described(folder)["complete"])
        workers[0].kill()
        self.wait_text(server, "is gone: nothing heard", 20)
        self.train_fast()
        for worker in workers[1:]:
            self.wait_exit(worker, 60)
        self.stop(server)
        self.assertRegex(server.err, r"is not complete and cannot be replayed: worker \d was lost")
        refused = self.start("refused", "dcps-server", *self.settings, "--replay-trace", folder)
        self.wait_exit(refused, 20, code=1)
        self.assertRegex(refused.err, r"cannot be replayed: worker \d was lost")

    def test_a_stopped_run_is_incomplete(self):
        folder = os.path.join(self.folder, "trace")
        self.train_slowly(20, 16000)
        server = self.start_server(*self.settings, "--record-trace", folder)
        workers = [self.start_worker(server.address) for _ in range(4)]
        self.wait_samples(server.address, 500)
        self.stop(server)
        self.assertFalse(self.described(folder)["complete"])
        for worker in workers:
            self.wait_exit(worker, 20)

    def test_a_run_that_leaves_the_trace_fails(self):
        folder = os.path.join(self.folder, "trace")
        self.train("recorded", "--algorithm", "asgd", "--record-trace", folder)
        self.train_slowly(100, SAMPLES)  # it is not over before the signal
        server = self.start_server(*self.settings, "--algorithm", "asgd", "--replay-trace", folder, name="left")
        workers = [self.start_worker(server.address, name="worker-left%d" % i) for i in range(4)]
        self.wait_samples(server.address, 300)
        workers[2].signal(signal.SIGTERM)
        self.wait_exit(server, 20, code=1)
        self.assertRegex(server.err, r"the run does not follow the trace: worker \d has left after \d+ of the \d+ requests")

    def test_a_late_start_may_differ_but_not_begin_early(self):
        """Rounds that were recorded with all workers wait for all of them, whatever --start-grace-ms says."""
        folder = os.path.join(self.folder, "trace")
        recorded, _ = self.train("recorded", "--algorithm", "ssgd", "--record-trace", folder)
        server = self.start_server(*self.settings, "--algorithm", "ssgd", "--start-grace-ms", 1, "--replay-trace", folder, name="patient")
        workers = [self.start_worker(server.address, name="worker-patient0")]
        self.wait("the first worker", lambda: self.live_workers(server.address) == 1, 20)
        workers += [self.start_worker(server.address, name="worker-patient%d" % i) for i in range(1, 4)]
        for worker in workers:
            self.wait_exit(worker, 60)
        self.assertEqual(self.digest(server), recorded)
        self.stop(server)

    def test_an_early_start_is_incomplete(self):
        folder = os.path.join(self.folder, "trace")
        server = self.start_server(*self.settings, "--algorithm", "ssgd", "--start-grace-ms", 1, "--record-trace", folder)
        workers = [self.start_worker(server.address) for _ in range(2)]
        for worker in workers:
            self.wait_exit(worker, 60)
        self.stop(server)
        self.assertIn("the run began without all workers", server.err)


class RunTest(cluster.ClusterTest):
    """The same by dcps run and dcps sim, which need no settings for a replay."""

    training = [*cluster.paced(1, SAMPLES), "--workers", 3, "--servers", 2, "--block-params", 1024, "--epochs", 1, "--batch-size", 16,
                "--learning-rate", 0.05, "--seed", 5]

    def run_dcps(self, *flags, command="run", code=0):
        out = os.path.join(self.folder, "out")
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), command, *map(str, flags), "--out", out], capture_output=True, text=True,
                              timeout=120 * cluster.PATIENCE)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code != 0:
            return done.stderr
        with open(os.path.join(out, "results.json")) as file:
            (run,) = json.load(file)["runs"]
        self.assertIn("digest of the final weights: " + run["weights_digest"], done.stdout)
        return run

    def test_two_servers(self):
        folder = os.path.join(self.folder, "trace")
        recorded = self.run_dcps(*self.training, "--algorithm", "dc-asgd-a", "--threads", 1, "--record-trace", folder)
        replayed = self.run_dcps("--replay-trace", folder)
        self.same_training(replayed, recorded)
        self.check_others_differ(recorded, *self.training, "--algorithm", "dc-asgd-a")
        self.assertIn("--learning-rate is 0.5, but the trace", self.run_dcps("--replay-trace", folder, "--learning-rate", 0.5, code=2))
        with open(os.path.join(folder, "server-1.json")) as file:
            described = json.load(file)
        described["weights_digest"] = "0123456789abcdef"
        with open(os.path.join(folder, "server-1.json"), "w") as file:
            json.dump(described, file)
        self.assertIn("ended with other weights than the run", self.run_dcps("--replay-trace", folder, code=1))

    def check_others_differ(self, recorded, *training):
        """Without a trace they do something else, or this shows nothing."""
        other = self.run_dcps(*training, "--step-time", "constant:30ms", command="sim")
        self.assertNotEqual(other["weights_digest"], recorded["weights_digest"])

    def same_training(self, a, b):
        for figure in ("weights_digest", "algorithm", "workers", "seed", "samples", "updates", "train_loss", "metrics", "staleness"):
            self.assertEqual(a[figure], b[figure])

    def test_a_real_run_in_virtual_time(self):
        folder = os.path.join(self.folder, "trace")
        again = os.path.join(self.folder, "again")
        recorded = self.run_dcps(*self.training, "--algorithm", "dc-asgd-a", "--threads", 1, "--record-trace", folder)
        self.same_training(self.run_dcps("--replay-trace", folder, "--record-trace", again, "--step-time", "exponential:30ms", "--threads", 2,
                                         command="sim"), recorded)
        for name in ("run.json", "server-0.json", "server-1.json"):
            with open(os.path.join(folder, name)) as first, open(os.path.join(again, name)) as second:
                self.assertEqual(first.read(), second.read())
        self.check_others_differ(recorded, *self.training, "--algorithm", "dc-asgd-a")

    def test_a_simulated_run_with_real_processes(self):
        folder = os.path.join(self.folder, "trace")
        recorded = self.run_dcps(*self.training, "--algorithm", "dana-dc", "--step-time", "exponential:30ms", "--latency", 500,
                                 "--record-trace", folder, command="sim")
        self.same_training(self.run_dcps("--replay-trace", folder), recorded)
        self.check_others_differ(recorded, *self.training, "--algorithm", "dana-dc")

    def check_model(self, name, *settings):
        """A simulated run with workers of different speed, and real ones that follow it."""
        folder = os.path.join(self.folder, name)
        training = ["--model", name, *settings, "--algorithm", "dc-asgd-a", "--workers", 3, "--epochs", 1, "--data", self.folder]
        recorded = self.run_dcps(*training, "--step-time", "exponential:30ms", "--record-trace", folder, command="sim")
        self.assertGreater(recorded["staleness"]["mean"], 1)
        self.same_training(self.run_dcps("--replay-trace", folder, "--data", self.folder), recorded)
        self.check_others_differ(recorded, *training)

    @unittest.skipIf(cluster.SANITIZED, "the same code, with much to compute")
    def test_batch_norm(self):
        """Servers average what workers push of their batches."""
        made_up_sets.write_cifar10(self.folder)
        self.check_model("resnet", "--model-opt", "depth=8", "--model-opt", "samples=160", "--batch-size", 16)

    @unittest.skipIf(cluster.SANITIZED, "the same code, with much to compute")
    def test_recurrent_state(self):
        """A worker goes on where its batch before ended."""
        made_up_sets.write_ptb(self.folder)
        self.check_model("lstm", "--model-opt", "hidden=16", "--model-opt", "layers=1", "--model-opt", "bptt=5", "--batch-size", 5)

    def test_recorded_times_of_steps(self):
        """A simulated worker takes for its steps what a real one took: all of them together, to the nanosecond, where messages take no time."""
        folder = os.path.join(self.folder, "trace")
        training = ["--workers", 1, "--epochs", 1, "--batch-size", 16, "--algorithm", "asgd"]
        self.run_dcps(*cluster.paced(5, 1600), *training, "--threads", 1, "--record-trace", folder)
        with open(os.path.join(folder, "shard-0.csv")) as file:
            rows = [row for row in csv.DictReader(file) if row["block"] == "0" and row["kind"] == "push"]
        steps_ns = [int(row["away_ns"]) for row in rows]
        self.assertEqual(len(steps_ns), 100)
        self.assertGreater(min(steps_ns), 5e6)
        simulated = self.run_dcps(*cluster.paced(0, 1600), *training, "--step-time", "trace:" + folder, command="sim")
        self.assertAlmostEqual(simulated["seconds"], sum(steps_ns) / 1e9, places=9)
        for refused in ("trace:" + self.folder, "trace:"):
            self.assertIn("cannot read the trace", self.run_dcps(*self.training, "--step-time", refused, command="sim", code=1))

    def test_traces_need_gradients(self):
        self.assertIn("--no-gradients", self.run_dcps("--no-gradients", "--params", 1000, "--record-trace", os.path.join(self.folder, "t"),
                                                      command="sim", code=2))


if __name__ == "__main__":
    cluster.main()
