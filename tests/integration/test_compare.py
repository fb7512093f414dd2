"""dcps compare as an instrument: plans, sweeps, resuming, and what it does with simulations that misbehave. A program that stands in for `dcps sim` lies
beside a copy of the real one."""
import contextlib
import csv
import json
import math
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import unittest

import cluster

FAKE = os.environ["DCPS_FAKE_DIR"]
RUNS = "sgd@1,asgd@4,dc-asgd-a@4"


def write_images(folder, prefix, count, value=0):
    """The two files of a set of images, as MNIST has them."""
    with open(os.path.join(folder, prefix + "-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">4I", 0x803, count, 28, 28) + bytes([value]) * (count * 28 * 28))
    with open(os.path.join(folder, prefix + "-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count)))


class CompareTest(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        self.program = os.path.join(self.bin, "compare")
        shutil.copy(os.path.join(cluster.BIN, "dcps"), self.program)
        shutil.copy(os.path.join(FAKE, "dcps"), os.path.join(self.bin, "dcps"))
        self.log = os.path.join(self.folder, "log")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("DCPS_")}
        self.environment["DCPS_MODELS"] = os.path.join(cluster.BIN, "..", "lib", "dcps", "models")
        self.environment["FAKE_LOG"] = self.log
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data)
        write_images(self.data, "train", 600)
        write_images(self.data, "t10k", 100)

    def command(self, *arguments, out="out"):
        return [self.program, "compare", "--virtual", "--data", self.data, "--epochs", "3", "--warmup-epochs", "0", "--decay-epochs", "", "--out",
                os.path.join(self.folder, out), *arguments]

    def variables(self, mode, more):
        return {**self.environment, "FAKE_MODE": mode, **{"FAKE_" + name.upper(): value for name, value in more.items()}}

    def call(self, command, code, variables):
        done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60 * cluster.PATIENCE)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def compare(self, *arguments, code=0, out="out", mode="", **told):
        return self.call(self.command(*arguments, out=out), code, self.variables(mode, told))

    def started(self):
        """Arguments of every simulation so far."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def read(self, name="results.json", out="out"):
        with open(os.path.join(self.folder, out, name), encoding="utf-8", newline="") as file:
            return file.read()

    def results(self, out="out"):
        return json.loads(self.read(out=out))

    def table(self, name, out="out"):
        return list(csv.DictReader(self.read(name, out).splitlines()))

    def shown(self):
        """What the script of the report makes of it."""
        return cluster.shown_by(os.path.join(self.folder, "out", "report.html"))

    def kept(self, out="out"):
        return sorted(os.listdir(os.path.join(self.folder, out, "runs")))

    def test_results_and_tables(self):
        done = self.compare("--runs", RUNS, "--seeds", "3", "--target", "test_error=0.3")
        results = self.results()
        self.assertEqual((results["schema"], results["model"], results["dataset"], results["virtual"], results["split"]), ("dcps-results/1", "mlp", "toy", True, "test"))
        self.assertEqual([(run["name"], run["workers"], run["seed"]) for run in results["runs"]],
                         [(name, workers, seed) for name, workers in (("sgd", 1), ("asgd", 4), ("dc-asgd-a", 4)) for seed in (1, 2, 3)])
        self.assertEqual(results["runs"][3]["speedup"], 4.0)
        self.assertEqual(results["runs"][3]["staleness"]["histogram"][0], [1, 80])  # members that we do not know are handed on
        self.assertEqual(results["runs"][3]["per_worker"][0]["wait_seconds"]["histogram"], [[0, 1], [3.14572e-06, 2], [0.234881024, 2**53 + 1]])
        rule = results["summary"][2]
        errors = [[run["metrics"]["test_error"] for run in results["runs"] if run["algorithm"] == name] for name in ("sgd", "asgd", "dc-asgd-a")]
        means = [sum(values) / 3 for values in errors]
        self.assertAlmostEqual(rule["metrics"]["test_error"]["mean"], means[2], 9)
        deviation = math.sqrt(sum((value - means[2]) ** 2 for value in errors[2]) / 2)
        self.assertAlmostEqual(rule["metrics"]["test_error"]["se"], deviation / math.sqrt(3), 9)
        gap = rule["gap_recovered"]
        self.assertAlmostEqual(gap["value"], (means[1] - means[2]) / (means[1] - means[0]), 9)
        self.assertLess(gap["low"], gap["value"])
        self.assertLess(gap["value"], gap["high"])
        self.assertEqual((rule["seconds_to_target"]["reached"], rule["seconds_to_target"]["of"]), (3, 3))
        self.assertRegex(done.stdout, r"(?m)^dc-asgd-a +4 +11\.\d\d ± 0\.\d\d % +\d\d % \[\d+, \d+\] ")
        self.assertEqual(len(self.table("runs.csv")), 9)
        self.assertEqual(len(self.table("curves.csv")), 27)
        summary = self.table("summary.csv")
        self.assertEqual([row["name"] for row in summary], ["sgd", "asgd", "dc-asgd-a"])
        self.assertAlmostEqual(float(summary[2]["gap_recovered"]), gap["value"], 9)
        page = self.read("report.html")
        self.assertEqual(json.loads(page.split('id="data">')[1].split("</script>")[0])["results"], results)
        self.assertTrue(all(arguments[-1] == "1" for arguments in self.started()))  # OMP_NUM_THREADS
        self.assertEqual(len({tuple(a for a in arguments if a != "--seed") for arguments in self.started()}), 9)

    def test_names_with_commas(self):
        self.compare("--runs", "sgd@1,asgd+decay-epochs=1,2@2", "--sweep", "sgd:optimizer=sgd:momentum,decay-epochs=1,2")
        rows = self.table("runs.csv")
        self.assertEqual([row["name"] for row in rows], ["sgd", "sgd", "sgd", "asgd+decay-epochs=1,2"])
        self.assertEqual([row["setting"] for row in rows], ["optimizer=sgd decay-epochs=1,2", "optimizer=momentum decay-epochs=1,2", "", ""])
        self.assertEqual(self.table("summary.csv")[0]["setting"], "optimizer=sgd decay-epochs=1,2")
        self.assertEqual(len(self.table("curves.csv")[0]), 7)

    def test_equal_calls_give_equal_files(self):
        """Whatever the order in which simulations end, and however many run at once."""
        sweep = ["--runs", RUNS, "--seeds", "2", "--sweep", "learning-rate=0.05:0.1,lambda=1:2", "--tune-seeds", "2"]
        self.compare(*sweep, "--jobs", "1", out="one")
        self.compare(*sweep, "--jobs", "7", out="seven")
        self.compare(*sweep, "--jobs", "3", out="one")
        again = self.results("seven")
        for name in ("results.json", "runs.csv", "curves.csv", "summary.csv"):
            self.assertEqual(self.read(name, "one"), self.read(name, "seven"))
        self.assertEqual(len(self.started()), 2 * (2 * (2 + 2 + 4) + 6))
        self.assertEqual(len(again["trials"]), 16)

    def test_sweep(self):
        done = self.compare("--runs", RUNS + ",asgd+learning-rate=0.3@4", "--seeds", "2", "--sweep", "learning-rate=0.02:0.1:1000,lambda=1:2", "--sweep",
                            "dc-asgd-a:learning-rate=0.1:0.2", "--tune-epochs", "2", "--validation", "77")
        results = self.results()
        chosen = {row["name"]: row.get("chosen") for row in results["summary"]}
        self.assertEqual(chosen["sgd"]["setting"], {"learning-rate": 0.1})
        self.assertEqual(chosen["asgd"]["edge"], [])
        self.assertEqual(chosen["dc-asgd-a"]["setting"], {"learning-rate": 0.1})
        self.assertEqual(chosen["dc-asgd-a"]["edge"], ["learning-rate"])
        self.assertEqual(chosen["dc-asgd-a"]["validation"]["metric"], "validation_error")
        self.assertIsNone(chosen["asgd+learning-rate=0.3"])
        self.assertRegex(done.stdout, r"dc-asgd-a +4 +learning-rate=0.1 .*learning-rate: the smallest tried")
        trials = results["trials"]
        self.assertEqual(len(trials), 3 + 3 + 2)
        self.assertEqual([trial["diverged"] for trial in trials if trial["setting"]["learning-rate"] == 1000], [True, True])
        final_seeds = {run["seed"] for run in results["runs"]}
        self.assertEqual(final_seeds, {1, 2})
        self.assertTrue(final_seeds.isdisjoint(trial["seed"] for trial in trials))
        for arguments in self.started():
            trial = "validation=77" in arguments
            self.assertEqual(arguments[arguments.index("--split") + 1], "validation" if trial else "test")
            self.assertEqual(arguments[arguments.index("--epochs") + 1], "2" if trial else "3")
        self.assertEqual(len([a for a in self.started() if "validation=77" in a]), 8)

    def test_sweep_of_parts(self):
        """Options that have no effect at a point are left out there, and points that differ in nothing else are one."""
        done = self.compare("--runs", "asgd@2,dc-asgd-c@2", "--lambda", "3", "--sweep", "dc-asgd-c:compensation=none:dc-c,lambda=1:2", "--sweep", "asgd:optimizer=sgd:momentum")
        settings = [trial["setting"] for trial in self.results()["trials"]]
        self.assertEqual(settings, [{"optimizer": "sgd"}, {"optimizer": "momentum"}, {"compensation": "none"}, {"compensation": "dc-c", "lambda": 1},
                                    {"compensation": "dc-c", "lambda": 2}])
        self.assertRegex(done.stdout, r"dc-asgd-c +2 +compensation=none +")
        self.assertEqual(len(self.started()), 5 + 2)
        for arguments in self.started():
            self.assertEqual("--lambda" in arguments, "dc-c" in arguments)

    def test_tie_goes_to_the_smaller_rate(self):
        """The stand-in is as good a factor above 0.1 as below."""
        self.compare("--runs", "sgd@1", "--sweep", "learning-rate=1:0.01")
        self.assertEqual(self.results()["summary"][0]["chosen"]["setting"], {"learning-rate": 0.01})

    def test_everything_diverges(self):
        done = self.compare("--runs", "sgd@1,asgd+learning-rate=0.1@2", "--sweep", "learning-rate=1000:2000", code=1)
        self.assertIn("all of its 2 trials diverged", done.stdout)
        self.assertEqual([run["name"] for run in self.results()["runs"]], ["asgd+learning-rate=0.1"])

    def test_validation_split(self):
        self.compare("--runs", "sgd@1", "--split", "validation")
        self.assertEqual(list(self.results()["runs"][0]["metrics"]), ["validation_error"])
        self.assertIn("validation=60", self.started()[0])  # a tenth
        self.assertEqual(self.results()["split"], "validation")
        self.compare("--runs", "sgd@1", "--split", "validation", "--model-opt", "validation=10")
        self.assertNotIn("validation=60", self.started()[1])

    def test_goes_on_where_it_was(self):
        self.compare("--runs", RUNS, "--seeds", "2")
        first = self.read()
        self.assertEqual((len(self.kept()), len(self.started())), (6, 6))
        done = self.compare("--runs", RUNS, "--seeds", "2")
        self.assertIn("6 of the 6 runs were kept from before", done.stdout)
        self.assertEqual((len(self.started()), self.read()), (6, first))
        self.compare("--runs", RUNS + ",asgd@8", "--seeds", "3")  # only what is new
        self.assertEqual(len(self.started()), 12)
        self.compare("--runs", RUNS, "--seeds", "2", "--lambda", "1")  # which concerns the one rule
        self.assertEqual(len(self.started()), 14)
        self.compare("--runs", RUNS, "--seeds", "2", "--fresh")
        self.assertEqual((len(self.started()), self.read(), len(self.kept())), (20, first, 6))

    def test_damaged_and_foreign_files(self):
        self.compare("--runs", RUNS)
        first = self.read()
        folder = os.path.join(self.folder, "out", "runs")
        sgd, asgd, rule = (os.path.join(folder, next(name for name in self.kept() if name.startswith(start))) for start in ("sgd@1", "asgd@4", "dc-asgd-a@4"))
        with open(sgd, "r+", encoding="utf-8") as file:
            file.truncate(100)
        shutil.copy(rule, asgd)
        with open(rule, encoding="utf-8") as file:
            document = json.load(file)
        document["run"]["curve"][0]["seconds"] = "soon"
        with open(rule, "w", encoding="utf-8") as file:
            json.dump(document, file)
        done = self.compare("--runs", RUNS)
        self.assertRegex(done.stderr, r"sgd@1-seed1-[0-9a-f]+\.json is damaged: line \d+")
        self.assertRegex(done.stderr, r"asgd@4-seed1-[0-9a-f]+\.json is of another run: its arguments differ; it is run again")
        self.assertRegex(done.stderr, r"dc-asgd-a@4-seed1-[0-9a-f]+\.json is damaged: point 0 of the curve")
        self.assertEqual((len(self.started()), self.read()), (6, first))
        with open(rule, encoding="utf-8") as file:
            text = file.read()
        with open(rule, "w", encoding="utf-8") as file:
            file.write(text.replace('"version": "', '"version": "9'))
        self.assertIn("was made by version 9", self.compare("--runs", RUNS).stderr)
        self.assertEqual(len(self.started()), 7)
        for count, member, value in ((8, "seed", 2), (9, "workers", 5), (10, "algorithm", "asgd")):
            with open(rule, encoding="utf-8") as file:
                document = json.load(file)
            document["run"][member] = value
            with open(rule, "w", encoding="utf-8") as file:
                json.dump(document, file)
            self.assertIn("the result kept for dc-asgd-a@4-seed1 is of another run; it is run again", self.compare("--runs", RUNS).stderr)
            self.assertEqual((len(self.started()), self.read()), (count, first))

    def test_another_build(self):
        """What an older build came to says nothing of this one."""
        self.compare("--runs", "sgd@1")
        with open(self.program, "ab") as file:
            file.write(b"another build")
        self.assertIn("was made by version", self.compare("--runs", "sgd@1").stderr)
        self.assertEqual(len(self.started()), 2)
        self.compare("--runs", "sgd@1")
        self.assertEqual(len(self.started()), 2)

    def test_other_data(self):
        """What files in the same place held before says nothing of what they hold now."""
        self.compare("--runs", "sgd@1")
        self.compare("--runs", "sgd@1")
        self.assertEqual(len(self.started()), 1)
        write_images(self.data, "train", 600, value=1)
        self.assertNotIn("kept from before", self.compare("--runs", "sgd@1").stdout)
        self.assertEqual(len(self.started()), 2)
        done = self.compare("--runs", "sgd@1", "--data", os.path.join(self.folder, "nowhere"), code=1)
        self.assertIn("nowhere", done.stderr)
        self.compare("--runs", "sgd@1", "--no-gradients", "--params", "1000", "--data", os.path.join(self.folder, "nowhere"))  # which reads none

    def record(self, folder, step_time):
        command = [os.path.join(cluster.BIN, "dcps"), "sim", "--model", "mlp", "--model-opt", "hidden=8", "--data", self.data, "--workers", "2", "--epochs", "1", "--warmup-epochs", "0",
                   "--decay-epochs", "", "--batch-size", "100", "--step-time", step_time, "--record-trace", folder]
        self.call(command, 0, self.environment)

    def test_another_trace(self):
        """The steps behind --step-time trace:DIR are a part of what a run is."""
        folder = os.path.join(self.folder, "trace")
        arguments = ["--runs", "asgd@2", "--step-time", "trace:" + folder]
        self.assertIn(folder, self.compare(*arguments, code=1).stderr)
        for step_time, runs in (("constant:10ms", 1), ("constant:1000ms", 2), ("constant:10ms", 2)):
            shutil.rmtree(folder, ignore_errors=True)
            self.record(folder, step_time)
            self.compare(*arguments)
            self.assertEqual(len(self.started()), runs, step_time)
            self.assertIn("1 of the 1 runs were kept from before", self.compare(*arguments).stdout)

    def test_another_build_of_the_processes(self):
        """Real runs are made by servers and workers, whose code counts as well; simulations are not."""
        for name in ("dcps-server", "dcps-worker"):
            shutil.copy(os.path.join(FAKE, name), os.path.join(self.bin, name))
        real = [argument for argument in self.command("--runs", "asgd@2") if argument != "--virtual"]
        self.compare("--runs", "sgd@1")
        self.call(real, 0, self.environment)
        for name in ("dcps-server", "dcps-worker"):
            self.assertIn("1 of the 1 runs were kept from before", self.call(real, 0, self.environment).stdout)
            with open(os.path.join(self.bin, name), "ab") as file:
                file.write(b"\n# another build\n")
            self.assertIn("was made by version", self.call(real, 0, self.environment).stderr)
            self.assertIn("1 of the 1 runs were kept from before", self.compare("--runs", "sgd@1").stdout)

    def test_a_run_that_fails_does_not_stop_the_others(self):
        marker = os.path.join(self.folder, "marker")
        arguments = ["--runs", RUNS, "--seeds", "2", "--jobs", "1"]
        done = self.compare(*arguments, mode="crash-once", marker=marker, code=1)
        self.assertIn("sgd@1 seed 1 failed: the simulation exited with code 1: the disk is on fire", done.stderr)
        runs = self.results()["runs"]
        self.assertEqual([run.get("failure", "")[:14] for run in runs], ["the simulation", "", "", "", "", ""])
        self.assertEqual((len(self.kept()), len(self.started())), (5, 6))
        self.assertIn("5 of 6 runs are done", done.stdout)
        self.compare(*arguments, mode="crash-once", marker=marker)
        self.assertEqual(len(self.started()), 7)
        self.assertNotIn("failure", self.results()["runs"][0])

    def test_trials_that_fail(self):
        done = self.compare("--runs", "dc-asgd-a@2,asgd@2", "--sweep", "lambda=1:2", mode="crash-lambda", code=1)
        self.assertIn("1 of its 2 trials failed", done.stdout)
        self.assertEqual([run["name"] for run in self.results()["runs"]], ["asgd"])
        self.assertRegex(self.results()["trials"][1]["failure"], "signal 9.*about to crash")

    def test_simulations_that_misbehave(self):
        for mode, said in (("garbage", "no JSON"), ("silent", "without a result"), ("other", "another run"), ("progress", "progress"), ("twice", "after its result"),
                           ("crash", "signal 9")):
            done = self.compare("--runs", "sgd@1,asgd@2", "--jobs", "1", mode=mode, code=1, out=mode)
            self.assertRegex(done.stderr, "sgd@1 failed: the simulation .*" + said)
            self.assertEqual(self.kept(mode), [])
        # Refused flags end the comparison; the others go on only if there was progress.
        done = self.compare("--runs", "sgd@1,asgd@2", "--jobs", "1", mode="refuse", code=2)
        self.assertIn("no such flag", done.stderr)

    def test_long_lines(self):
        self.compare("--runs", "sgd@1", mode="huge")
        self.assertEqual(len(self.results()["runs"][0]["per_worker"]), 30000)

    def begin(self, *arguments, mode="", **told):
        ours = [name + "=" + value for name, value in self.variables(mode, told).items() if name.startswith(("DCPS_", "FAKE_"))]
        process = cluster.Process(self.folder, "compare", ["env", *ours, *self.command(*arguments)])
        self.processes.append(process)
        return process

    def test_interrupted(self):
        arguments = ["--runs", RUNS, "--seeds", "5", "--jobs", "2"]
        self.compare(*arguments, out="whole")
        process = self.begin(*arguments, mode="linger-dc")
        self.wait("some runs", lambda: os.path.isdir(os.path.join(self.folder, "out", "runs")) and len(self.kept()) >= 3, 30)
        process.signal(signal.SIGINT)
        self.wait_exit(process, 20, code=1)
        self.assertIn("stopped on request", process.err)
        kept = len(self.kept())
        self.assertLess(kept, 15)
        self.assertIn("%d of 15 runs are done and kept" % kept, process.out)
        self.assertEqual(len(self.results()["runs"]), kept)
        self.assertEqual([name for name in self.kept() if not name.endswith(".json")], [])
        self.compare(*arguments)
        self.assertEqual(self.read(), self.read(out="whole"))

    def test_nothing_is_left_running(self):
        for mode, number in (("linger", signal.SIGTERM), ("deaf", signal.SIGINT), ("linger", signal.SIGKILL)):
            process = self.begin("--runs", "sgd@1,asgd@2", "--jobs", "2", mode=mode)
            before = len(self.started())
            self.wait("both", lambda: len(self.started()) >= before + 2, 30)
            children = cluster.children(process.process.pid)
            self.assertEqual(len(children), 2)
            process.signal(number)
            self.wait("its end", lambda: process.code is not None, 20)
            self.wait("the end of its children", lambda: not any(map(cluster.alive, children)), 20)

    def wait_on_a_terminal(self, expected, *arguments, mode):
        """Starts a comparison that shows on a terminal how far it is, waits until that looks as expected, and stops it."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen(self.command(*arguments, out="terminal"), stdout=subprocess.DEVNULL, stderr=slave, env=self.variables(mode, {}))
        self.addCleanup(process.kill)
        os.close(slave)
        seen = b""
        try:
            while not re.search(expected, seen):
                seen += os.read(master, 4096)
        except OSError as error:  # nobody writes any more
            raise AssertionError(seen[-2000:]) from error
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            while os.read(master, 4096):
                pass
        self.assertEqual(process.wait(20 * cluster.PATIENCE), 1)

    def test_progress(self):
        self.wait_on_a_terminal(rb"\] 2/6  ETA [\d.:]+( s)?  dc-asgd-a@4 seed 1 50 %", "--runs", RUNS, "--seeds", "2", "--jobs", "1", mode="linger-dc")
        done = self.compare("--runs", RUNS, "--seeds", "2", "--jobs", "1")
        self.assertRegex(done.stderr, r"(?m)^\[-+\] 0/6  sgd@1 seed 1 \d+ %$")
        self.assertRegex(done.stderr, r"(?m)^\[6/6\] dc-asgd-a@4 seed 2  test_error 0\.1\d+, ")

    @cluster.needs_node
    def test_report(self):
        """What the script draws from the figures: every number that goes into a picture is a number."""
        self.compare("--runs", RUNS + ",asgd@8,asgd+optimizer=momentum@8", "--seeds", "2", "--sweep", "learning-rate=0.05:0.1,lambda=1:2", "--target", "0.3", restarts="2")
        shown = self.shown()
        self.assertEqual(shown["legend"], ["sgd@1", "asgd@4", "dc-asgd-a@4", "asgd@8", "asgd+optimizer=momentum@8"])
        self.assertEqual(shown["figures"], ["Test error over epochs", "Test error over time", "Training loss over epochs", "Training loss over time",
                                            "Staleness share of the updates that come so many updates late", "Speed-up against workers; dashed: the ideal",
                                            "Test error against workers, with its standard error",
                                            "Validation error against learning rate, at the best of the other settings"])
        self.assertEqual(shown["curves"], [5, 5, 5, 5, 5, 3, 2, 5])
        head, rule = shown["rows"][0], shown["rows"][3]
        self.assertEqual(rule[0], "dc-asgd-a@4")
        self.assertRegex(rule[head.index("gap recovered")], r"^\d+ % \[-?\d+, \d+\]$|^no clear gap$")
        self.assertEqual(rule[head.index("chosen")], "learning-rate 0.1*, lambda 1*")
        self.assertIn("± standard error", shown["note"])
        self.assertEqual(shown["failures"][0], "sgd@1, seed 1: processes that died were started again 2 times")
        self.assertRegex(rule[head.index("s to test error 0.3")], r"^\d+\.\d ± \d+\.\d$")

    @cluster.needs_node
    def test_report_of_one_number_of_workers(self):
        """Speed-ups begin at the run with one worker, so that there is a line to the only other number; a target that nobody reached has no time."""
        self.compare("--runs", RUNS, "--seeds", "2", "--target", "0.001")
        shown = self.shown()
        at = shown["figures"].index("Speed-up against workers; dashed: the ideal")
        self.assertEqual(shown["paths"][at], [1 + 2, 1 + 2])  # of asgd and dc-asgd-a: a line and its two marks
        head, *rows = shown["rows"]
        for row in rows:
            self.assertRegex(row[head.index("s to test error 0.001")], r"^> \d+\.\d$")
        self.compare("--runs", "asgd@4,dc-asgd-a@4")
        self.assertNotIn("Speed-up", " ".join(self.shown()["figures"]))

    @cluster.needs_node
    def test_divergence(self):
        """A rule of which one seed diverged has no mean error, no difference and no gap, in the table, the summary and the report alike: the other seeds would flatter it."""
        for mode in ("diverge", "diverge-on"):
            done = self.compare("--runs", RUNS, "--seeds", "3", "--fresh", mode=mode)
            self.assertRegex(done.stdout, r"(?m)^dc-asgd-a +4 +– +diverged +")
            self.assertRegex(done.stderr, r"dc-asgd-a@4 seed 2  diverged, ")
            rule = next(row for row in self.results()["summary"] if row["name"] == "dc-asgd-a")
            nothing = {"mean": None, "se": None, "median": None, "min": None, "max": None, "n": 3}
            self.assertEqual((rule["diverged"], rule["metrics"]["test_error"], rule["minus_asgd"]), (1, nothing, nothing))
            self.assertNotIn("gap_recovered", rule)
            self.assertEqual([(line["name"], line["seed"]) for line in self.table("runs.csv") if line["diverged"] == "true"], [("dc-asgd-a", "2")])
            shown = self.shown()
            head, *rows = shown["rows"]
            cells = {row[0]: (row[head.index("test error")], row[head.index("train loss")]) for row in rows}
            self.assertEqual(cells["dc-asgd-a@4"], ("–", "–"))
            self.assertRegex(cells["asgd@4"][0], "±")
            self.assertEqual(shown["paths"][0], [2 + 3, 2 + 3, 2 + 1])  # its curve ends where it diverged

    @cluster.needs_node
    def test_collapse(self):
        """A seed that ends no better than chance has not diverged and counts, but the mean does not hide it."""
        said = "dc-asgd-a@4: its seeds ended far apart, with a test error from 11."
        done = self.compare("--runs", RUNS, "--seeds", "3", mode="collapse")
        self.assertIn("\n" + said, done.stdout)
        self.assertEqual([row["far_apart"] for row in self.results()["summary"]], [False, False, True])
        row = self.table("summary.csv")[2]
        self.assertEqual((row["diverged"], row["far_apart"], float(row["test_error_max"])), ("0", "true", 0.9))
        self.assertLess(float(row["test_error_median"]), 0.13)
        self.assertLess(float(row["test_error_min"]), float(row["test_error_median"]))
        self.assertGreater(float(row["test_error"]), 0.3)
        self.assertEqual([text.startswith(said) for text in self.shown()["failures"]], [True])

    def test_hostile_flags(self):
        for arguments, said in ((["--sweep", ""], "--sweep is empty"),
                                (["--sweep", "learning-rate"], "no '='"),
                                (["--sweep", "servers=1:2"], "'servers' is no training option"),
                                (["--sweep", "learning-rate=0.1::0.2"], "a value is empty"),
                                (["--sweep", "learning-rate=0.1:-1"], "learning-rate"),
                                (["--sweep", "ssp@2:learning-rate=0.1"], "no run 'ssp@2'"),
                                (["--sweep", "learning-rate=1:2", "--sweep", "lambda=1:2"], "another --sweep"),
                                (["--sweep", "batch-size=" + ":".join(map(str, range(1, 40)))], "more than 32 values"),
                                (["--sweep", ",".join(name + "=" + ":".join(str(i / 64) for i in range(1, 33)) for name in ("learning-rate", "weight-decay", "decay-factor"))],
                                 "32768 combinations"),
                                (["--sweep", "mean-square-decay=0.9:0.95", "--runs", "sgd@1"], "has an effect on any"),
                                (["--tune-epochs", "3"], "--tune-epochs is for --sweep"),
                                (["--tune-decay-epochs", "3"], "--tune-decay-epochs is for --sweep"),
                                (["--tune-decay-epochs", "3,2", "--sweep", "learning-rate=1:2"], "must ascend"),
                                (["--validation", "3"], "--validation is for --sweep"),
                                (["--validation", "0", "--sweep", "learning-rate=1:2"], "validation"),
                                (["--tune-seeds", "0"], "tune-seeds"),
                                (["--target", "test_error=low"], "--target"),
                                (["--jobs", "-1"], "jobs"),
                                (["--split", "train"], "split"),
                                (["--latency", "nan"], "latency"),
                                (["--no-gradients", "--sweep", "learning-rate=1:2"], "--sweep chooses by errors"),
                                (["--transport", "ipc"], "--transport is for real processes"),
                                (["--runs", "asgd+momentum=0.9@2"], "run asgd+momentum=0.9@2: --momentum has no effect"),
                                (["--runs", "asgd+epochs=x@2"], "epochs"),
                                (["--seeds", "1000", "--tune-seeds", "1000", "--runs", ",".join("asgd@%d" % n for n in range(1, 60)), "--sweep", "learning-rate=1:2"], "100000")):
            self.assertIn(said, self.compare(*arguments, code=2).stderr, arguments)
        self.assertEqual(self.started(), [])


if __name__ == "__main__":
    cluster.main()
