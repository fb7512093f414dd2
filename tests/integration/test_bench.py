#!/usr/bin/env python3
"""Runs dcps bench as a user would: the JSON contract, algorithms and transports, models, and what is said when the server goes missing."""

import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import cluster

BIN = os.environ["DCPS_BIN"]
DCPS = os.path.join(BIN, "dcps")
LIMIT_S = 120
no_measuring = unittest.skipIf(cluster.SANITIZED, "measuring a sanitized program takes minutes and says nothing")


def run(*args, program=DCPS):
    return subprocess.run([program, "bench", *args], capture_output=True, text=True, timeout=LIMIT_S, check=False)


class PushPull(unittest.TestCase):
    def check_result(self, text, **settings):
        result = json.loads(text)
        self.assertEqual(result["schema"], "dcps-bench/1")
        self.assertEqual(result["benchmark"], "push-pull")
        for name, value in settings.items():
            self.assertEqual(result[name], value, name)
        seconds = result["seconds"]
        self.assertGreater(seconds["median"], 0)
        self.assertGreaterEqual(seconds["p99"], seconds["median"])
        # No worker can be faster than its own push-pulls say, by more than what medians of few steps may hide.
        rate = result["params_per_second"]
        self.assertGreater(rate, 0)
        self.assertLess(rate, 20 * result["workers"] * result["params"] / seconds["median"])
        limits = result["limits"]
        memory = limits["memory_bytes_per_second"] / limits["memory_bytes_per_param"]
        loopback = limits["loopback_bytes_per_second"] / limits["wire_bytes_per_param"]
        self.assertEqual(limits["tighter"], "loopback" if loopback < memory else "memory")
        self.assertTrue(math.isclose(result["share_of_limit"], rate / min(memory, loopback), rel_tol=1e-9))
        return result

    @no_measuring
    def test_algorithms_and_transports(self):
        cases = [("sgd", 1, "tcp", 16), ("ssgd", 2, "ipc", 14), ("ssp", 2, "tcp", 16), ("dc-asgd-a", 2, "ipc", 28)]
        for algorithm, workers, transport, size in cases:
            with self.subTest(algorithm=algorithm):
                done = run("push-pull", "--params", "300001", "--workers", str(workers), "--shards", "2", "--transport", transport,
                           "--algorithm", algorithm, "--steps", "4", "--repeats", "3", "--warmup", "3", "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = self.check_result(done.stdout, params=300001, workers=workers, shards=2, transport=transport,
                                           algorithm=algorithm, steps=4)
                self.assertEqual(result["limits"]["memory_bytes_per_param"], size)
                self.assertEqual(result["limits"]["wire_bytes_per_param"], 8)

    @no_measuring
    def test_steady_state_allocates_nothing(self):
        allocations = []
        while len(allocations) < 5 and min(allocations, default=1) >= 0.05:  # pools grow in a moment that is busier than any before
            done = run("push-pull", "--params", "600000", "--workers", "2", "--steps", "20", "--warmup", "20", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            allocations.append(self.check_result(done.stdout, params=600000, workers=2)["client_allocations_per_step"])
        self.assertLess(min(allocations), 0.05)

    @no_measuring
    def test_text_explains_the_limits(self):
        done = run("push-pull", "--params", "100000", "--steps", "3", "--repeats", "1", "--warmup", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("push-pull of 100,000 parameters", "20.0 bytes a parameter", "8 bytes a parameter", "share of limit", "p99"):
            self.assertIn(words, done.stdout)

    def test_server_killed(self):
        process = subprocess.Popen([DCPS, "bench", "push-pull", "--params", "2000000", "--steps", "100000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server = None
        deadline = time.monotonic() + 60
        while server is None and time.monotonic() < deadline:
            time.sleep(0.05)
            server = next(iter(cluster.children(process.pid)), None)
        self.assertIsNotNone(server)
        time.sleep(1.0)
        os.kill(server, signal.SIGKILL)
        begin = time.monotonic()
        out, err = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("the server was killed by signal 9", err)
        self.assertEqual(out, "")

    def test_killed_itself_leaves_no_server(self):
        process = subprocess.Popen([DCPS, "bench", "push-pull", "--params", "1000000", "--steps", "100000"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = []
        deadline = time.monotonic() + 60
        while not found and time.monotonic() < deadline:
            time.sleep(0.05)
            found = cluster.children(process.pid)
        self.assertTrue(found)
        process.kill()
        process.wait()
        while any(map(cluster.alive, found)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(any(map(cluster.alive, found)))

    def test_no_server_program(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(DCPS, folder)
            done = run("push-pull", "--params", "1000", "--steps", "1", program=copy)
        self.assertEqual(done.returncode, 1)
        self.assertIn("dcps-server", done.stderr)

    def test_usage(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("--help").returncode, 0)
        self.assertEqual(run("nonsense").returncode, 2)
        self.assertEqual(run("push-pull", "--help").returncode, 0)
        for bad in (["--params", "0"], ["--workers", "65"], ["--transport", "pigeon"], ["--steps", "x"], ["--nonsense"]):
            done = run("push-pull", *bad)
            self.assertEqual(done.returncode, 2, bad)
            self.assertIn(bad[0], done.stderr)
        done = run("push-pull", "--algorithm", "adam")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("dc-asgd-a", done.stderr)


class Update(unittest.TestCase):
    @no_measuring
    def test_rules(self):
        for algorithm, optimizer, size in (("asgd", "sgd", 16), ("dc-asgd-a", "momentum", 36)):
            with self.subTest(algorithm=algorithm, optimizer=optimizer):
                done = run("update", "--params", "1000003", "--algorithm", algorithm, "--optimizer", optimizer, "--threads", "2",
                           "--steps", "5", "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads(done.stdout)
                self.assertEqual(result["schema"], "dcps-bench/1")
                self.assertEqual(result["benchmark"], "update")
                self.assertEqual(result["memory_bytes_per_param"], size)
                share = result["params_per_second"] * size / result["limits"]["memory_bytes_per_second"]
                self.assertTrue(math.isclose(result["share_of_limit"], share, rel_tol=1e-9))

    @no_measuring
    def test_fewer_parameters_than_threads(self):
        done = run("update", "--params", "3", "--threads", "8", "--steps", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("share of limit", done.stdout)


class Model(unittest.TestCase):
    # Loading a batch takes 30 ms; everything else next to nothing. An epoch ends with a batch of 40 samples, which no step may take.
    paced = ["model", "--model", os.path.join(BIN, "..", "tests", "models", "paced.so"), "--model-opt", "step-ms=30",
             "--model-opt", "samples=232", "--batch-size", "64"]

    def test_contract(self):
        done = run(*self.paced, "--steps", "4", "--repeats", "2", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        for name, value in dict(schema="dcps-bench/1", benchmark="model", model="paced", model_options=["step-ms=30", "samples=232"],
                                dataset="made up", device="cpu", threads=1, batch_size=64, steps=4, repeats=2, parameters=5120).items():
            self.assertEqual(result[name], value, name)
        seconds = result["seconds"]
        self.assertGreaterEqual(seconds["load"], 0.03)
        self.assertGreaterEqual(seconds["median"], 0.03)
        self.assertGreaterEqual(seconds["p99"], seconds["median"])
        self.assertGreaterEqual(seconds["mean"], seconds["load"])
        self.assertEqual(result["flops_per_step"], 2 * 2 * 64 * 512 * 10)  # the product, and the gradient of its right-hand side
        self.assertTrue(math.isclose(result["samples_per_second"], 64 / seconds["median"], rel_tol=1e-9))
        self.assertTrue(math.isclose(result["flops_per_second"], result["flops_per_step"] / seconds["median"], rel_tol=1e-9))
        limits = result["limits"]
        self.assertLessEqual(limits["matmul_flops_per_second"], limits["matmul_flops_per_second_best"])
        share = result["flops_per_second"] / limits["matmul_flops_per_second"]
        self.assertTrue(math.isclose(result["share_of_limit"], share, rel_tol=1e-9))
        self.assertEqual(result["allocations_per_step"], 0)
        memory = result["memory"]
        self.assertEqual((memory["weights_bytes"], memory["gradient_bytes"]), (20480, 20480))
        self.assertGreater(memory["step_bytes"], 64 * 10 * 4)
        self.assertGreater(memory["process_peak_bytes"], memory["step_bytes"])
        self.assertTrue(math.isfinite(result["loss"]))
        self.assertNotIn("profile", result)

    def test_profile(self):
        done = run(*self.paced, "--steps", "2", "--repeats", "2", "--threads", "2", "--profile", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result["threads"], 2)
        rows = {(row["op"], row["pass"]): row for row in result["profile"]}
        self.assertEqual(set(rows), {(op, way) for op in ("matmul", "cross_entropy") for way in ("forward", "backward")})
        for row in rows.values():
            self.assertEqual(row["calls"], 1)
            self.assertTrue(math.isclose(row["share"], row["seconds"] / result["seconds"]["mean"], rel_tol=1e-9))
        self.assertEqual(rows["cross_entropy", "forward"]["flops_per_second"], 0)
        self.assertLess(sum(row["seconds"] for row in rows.values()) + result["seconds"]["load"], result["seconds"]["mean"] * 1.0001)
        times = [row["seconds"] for row in result["profile"]]
        self.assertEqual(times, sorted(times, reverse=True))
        done = run(*self.paced, "--steps", "1", "--repeats", "1", "--profile")
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("5,120 parameters", "samples/s", "share of limit", "cross_entropy", "(load)", "allocations      0.00 a step"):
            self.assertIn(words, done.stdout)

    @no_measuring
    def test_whole_nets(self):
        if not cluster.DATA:
            self.skipTest("neither DCPS_TEST_DATA nor DCPS_DATA names a folder with CIFAR-10 and the Penn Treebank")
        # Multiply-adds of one image forward: 3 to 16 filters, then per stage the convolutions of one block, at 32 × 32, 16 × 16 and 8 × 8, and the last layer.
        # Backward costs the same for the weights, and for the inputs of all but the first.
        first = 3 * 16 * 9 * 32 * 32
        rest = 9 * (2 * 16 * 16 * 32 * 32 + (16 * 32 + 32 * 32) * 16 * 16 + (32 * 64 + 64 * 64) * 8 * 8) + 640
        resnet = 2 * 16 * (2 * first + 3 * rest)
        # 12 steps of 20 texts; two layers of 64, whose first is not the last to be differentiated: the words' vectors are.
        lstm = 2 * 240 * 3 * (2 * 2 * 64 * 256 + 64 * 10000)
        for name, size, settings, flops in (("resnet", 16, ["depth=8"], resnet), ("lstm", 20, ["hidden=64", "bptt=12"], lstm)):
            with self.subTest(model=name):
                options = [word for setting in settings for word in ("--model-opt", setting)]
                done = run("model", "--model", name, *options, "--data", cluster.DATA, "--batch-size", str(size), "--steps", "4", "--repeats", "1", "--threads", "2",
                           "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads(done.stdout)
                self.assertEqual(result["flops_per_step"], flops)
                self.assertEqual(result["allocations_per_step"], 0)

    def test_what_is_refused(self):
        cases = [(["model", "--model", "nonsense"], 1, "nonsense.so"), (["model", "--model", "/no/such.so"], 1, "/no/such.so"),
                 ([*self.paced, "--device", "abacus"], 2, "abacus"), ([*self.paced, "--batch-size", "233"], 2, "232 training samples"),
                 ([*self.paced, "--batch-size", "65"], 1, "at most 64"), ([*self.paced, "--model-opt", "colour=red"], 2, "colour"),
                 ([*self.paced, "--steps", "0"], 2, "--steps"), ([*self.paced, "--threads", "0"], 2, "--threads"),
                 ([*self.paced, "--repeats", "x"], 2, "--repeats"), ([*self.paced, "surplus"], 2, "surplus")]
        for args, code, words in cases:
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
