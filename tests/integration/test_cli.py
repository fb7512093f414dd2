"""The dcps program as a person or a script meets it: exit codes, messages, files, and what is left of a run that was killed."""
import json
import os
import re
import shutil
import signal
import subprocess

import cluster

SMALL = ["--model", "mlp", "--model-opt", "hidden=16"]
DIVERGING = ["--model", "mlp", "--model-opt", "hidden=32,32,32", "--warmup-epochs", "0", "--learning-rate", "1e6", "--epochs", "1"]


class CliTest(cluster.ClusterTest):
    def dcps(self, *arguments, seconds=120, variables=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DCPS_")}
        environment.update(variables or {})
        return subprocess.run([os.path.join(cluster.BIN, "dcps"), *arguments], capture_output=True, text=True, env=environment,
                              timeout=seconds * cluster.PATIENCE)

    def check(self, arguments, code, *texts):
        done = self.dcps(*arguments)
        shown = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, "%s\n%s" % (arguments, shown))
        for text in texts:
            self.assertIn(text, shown)

    def test_help(self):
        self.check(["--help"], 0, "compare", "checkpoint", "doctor", "bench")
        self.check(["--version"], 0, "dcps ")
        for command in ("run", "compare", "algorithms", "status", "checkpoint", "doctor"):
            self.check([command, "--help"], 0, "dcps " + command)

    def test_algorithms(self):
        self.check(["algorithms"], 0, "dc-asgd-b", "worker", "bytes a parameter")
        self.check(["algorithms", "magic"], 2, "magic", "dana-dc")
        listed = json.loads(self.dcps("algorithms", "--json").stdout)["algorithms"]
        names = [entry["name"] for entry in listed]
        for name in ("sgd", "ssgd", "asgd", "ssp", "sa-asgd", "adadelay", "dc-asgd-c", "dc-asgd-a", "dc-asgd-b", "dc-asgd-i", "gap-aware", "dana-zero",
                     "dana-dc", "ormo", "ringmaster"):
            self.assertIn(name, names)
        only = json.loads(self.dcps("algorithms", "dana-dc", "--json").stdout)["algorithms"]
        self.assertEqual([entry["name"] for entry in only], ["dana-dc"])
        self.assertEqual(only[0]["worker_states"], ["momentum"])
        self.assertEqual(only[0]["parameters"], {"lambda": 2.0, "max-staleness": None, "momentum": 0.9, "weight-decay": 0.0})
        self.assertEqual((only[0]["bytes_per_param"], only[0]["bytes_per_param_and_worker"]), (20, 8))
        self.assertEqual(len(only[0]["formula"]), 2)

    def test_a_reader_that_has_seen_enough(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), "algorithms"], stdout=write, stderr=subprocess.PIPE, text=True,
                              timeout=60 * cluster.PATIENCE)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (1, ""))

    def parts(self, *names):
        return json.loads(self.dcps("algorithms", *names, "--json").stdout)["parts"]

    def test_parts_of_algorithms(self):
        """Whatever a flag can choose is listed with what it does and costs, under every name that the flag takes."""
        flags = {"consistency": [], "compensation": [], "step-size": [], "optimizer": []}
        for entry in self.parts():
            if entry["part"]:
                flags[entry["part"]].append(entry["name"])
                self.check(["run", "--" + entry["part"], entry["name"], "--print-config"], 0, entry["name"])
        self.assertEqual(flags["optimizer"], ["sgd", "momentum", "nesterov", "dana", "ormo"])
        self.assertEqual(flags["consistency"], ["bsp", "ssp", "asp"])
        self.assertEqual(sorted(map(len, flags.values())), [3, 3, 5, 6])
        nesterov, = self.parts("nesterov")
        self.assertEqual(nesterov["formula"], ["u <- mu*u + g; w <- w - eta*(g + mu*u)"])
        self.assertEqual((nesterov["states"], nesterov["parameters"]), (["momentum"], {"momentum": 0.9}))
        costs = {name: [(entry["adds_bytes_per_param"], entry["adds_bytes_per_param_and_worker"]) for entry in self.parts(name)]
                 for name in ("none", "bsp", "dc-a", "dana", "mean-square", "weight-decay", "dc-b,gap-aware", "dana-dc")}
        self.assertEqual(costs, {"none": [(0, 0)], "bsp": [(0, 0)], "dc-a": [(4, 0)], "dana": [(8, 4)], "mean-square": [(-4, 4)], "weight-decay": [(0, 0)],
                                 "dc-b,gap-aware": [(8, 0)], "dana-dc": []})
        self.assertEqual(len(self.parts("gap-aware,dc-c")[0]["formula"]), 2)
        self.assertIn("max-staleness", self.parts("ssp")[0]["parameters"])
        self.assertNotIn("max-staleness", self.parts("bsp")[0]["parameters"])
        for name in ("dc-a,dc-b", "dc-a,", "dc-a,magic", "asp,ssp", ",", ""):
            self.check(["algorithms", name], 2)

    def test_algorithms_as_text(self):
        shown = self.dcps("algorithms").stdout
        self.assertLessEqual(max(map(len, shown.splitlines())), 100)
        for text in ("--optimizer nesterov:", "--mean-square worker:", "4*M - 4 bytes", "--max-staleness (twice the workers)", "--max-staleness (none)",
                     "0.999^t", "round: g <- mean", "hold: ", "drop: "):
            self.assertIn(text, shown)
        symbols = json.loads(self.dcps("algorithms", "--json").stdout)["symbols"]
        self.assertEqual(symbols["mu"], "--momentum")
        flags = set(re.findall(r"--[a-z-]+", self.dcps("run", "--help").stdout))
        for symbol, flag in symbols.items():
            self.assertIn(flag, flags)
            self.assertRegex(shown, r"(?m)  %s +%s( |$)" % (symbol, flag))

    def test_wrong_usage(self):
        self.check([], 2, "Usage")
        self.check(["walk"], 2, "walk")
        self.check(["run", "--no-such-flag"], 2, "no-such-flag")
        self.check(["run", "--workers", "0"], 2, "workers")
        self.check(["run", "--algorithm", "magic"], 2, "magic", "dc-asgd-a")
        self.check(["run", "--device", "gpu"], 2, "--device gpu: expected cpu, cuda or cuda:N")
        self.check(["compare", "--device", "cuda:x"], 2, "--device cuda:x: expected cpu, cuda or cuda:N")
        self.check(["compare", "--runs", "asgd@4,asgd@4"], 2, "twice")
        self.check(["compare", "--runs", "@"], 2, "ALGORITHM@WORKERS")
        self.check(["status"], 2, "HOST:PORT")
        self.check(["status", "nonsense"], 2, "nonsense")
        self.check(["checkpoint", "127.0.0.1:99999"], 2, "99999")

    def test_flags_that_servers_and_workers_refuse(self):
        self.check(["run", *SMALL, "--epochs", "-1"], 2, "epochs")
        self.check(["run", "--model", "no-such-model"], 2, "no-such-model")
        self.check(["run", "--model", "mlp", "--model-opt", "no-such-option=1"], 2, "no-such-option")

    def test_comparison_that_cannot_begin(self):
        """Data that are not there end it before any process is started; of what only a run finds out, the others lack what the first one lacks."""
        for arguments, said in ((["--model-opt", "dataset=mnist", "--data", self.folder], "mnist"), (["--device", "cuda:99"], "[1/2] sgd@1 failed")):
            done = self.dcps("compare", "--model", "mlp", *arguments, "--runs", "sgd@1,asgd@2", "--out", os.path.join(self.folder, "out"))
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stdout + done.stderr)
            self.assertNotIn("asgd@2", done.stdout + done.stderr)

    def test_every_flag_of_a_run_is_known_to_servers(self):
        ours = {"model", "model-opt", "data", "device", "threads", "groups", "max-restarts", "start-timeout", "stop-timeout", "stall-timeout", "evaluate", "out", "config",
                "print-config", "help", "version"}
        flags = set(re.findall(r"^  --([a-z-]+)", self.dcps("run", "--help").stdout, re.M)) - ours
        help_text = subprocess.run([os.path.join(cluster.BIN, "dcps-server"), "--help"], capture_output=True, text=True).stdout
        known = set(re.findall(r"^  --([a-z-]+)", help_text, re.M))
        self.assertIn("learning-rate", flags)
        self.assertEqual(flags - known, set())

    def test_silent_servers(self):
        port = cluster.free_ports(1)[0]
        self.check(["status", "--timeout", "1", "127.0.0.1:%d" % port], 1, "127.0.0.1:%d does not answer" % port, "silent")
        self.check(["checkpoint", "--timeout", "1", "127.0.0.1:%d" % port], 1, "does not answer")

    def test_doctor(self):
        self.check(["doctor"], 0, "processors", "dcps-server", "mlp", "Ready")
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = {name: int(rest.split()[0]) // 1024 for name, rest in (line.split(":") for line in file)}
        available, total = map(int, re.search(r"(\d+) MiB available of (\d+)", self.dcps("doctor").stdout).groups())
        self.assertEqual(total, memory["MemTotal"])
        self.assertLess(abs(available - memory["MemAvailable"]), max(1024, 0.25 * total))  # others come and go

    def test_doctor_looks_where_workers_look(self):
        """Models of DCPS_MODELS beside those of the program, and data in every form that can be read."""
        models = os.path.join(self.folder, "models")
        os.mkdir(models)
        shutil.copy(os.path.join(cluster.BIN, "..", "lib", "dcps", "models", "mlp.so"), os.path.join(models, "a-model-of-mine.so"))
        data = os.path.join(self.folder, "data")
        os.makedirs(os.path.join(data, "fashion-mnist"))
        with open(os.path.join(data, "fashion-mnist", "train-images-idx3-ubyte.xz"), "wb"):
            pass
        shown = self.dcps("doctor", "--data", data, variables={"DCPS_MODELS": models}).stdout
        self.assertRegex(shown, r"(?m)^ok +models +a-model-of-mine .*\bmlp\b")
        self.assertRegex(shown, r"(?m)^ok +data +%s/fashion-mnist$" % re.escape(data))
        shown = self.dcps("doctor", "--data", os.path.join(self.folder, "nowhere")).stdout
        self.assertRegex(shown, r"(?m)^warn +data +.*nowhere")

    def test_run_writes_results_and_report(self):
        out = os.path.join(self.folder, "deep", "er")
        done = self.dcps("run", *SMALL, "--workers", "2", "--epochs", "2", "--servers", "2", "--out", out, seconds=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        run = results["runs"][0]
        self.assertEqual((results["schema"], results["model"], results["dataset"]), ("dcps-results/1", "mlp", "fashion-mnist"))
        self.assertEqual((run["algorithm"], run["workers"], run["epochs"], run["samples"]), ("asgd", 2, 2, 120000))
        self.assertEqual(len(run["curve"]), 2)
        self.assertLess(run["metrics"]["test_error"], 0.5)  # 0.9 untrained
        self.assertIn("%.2f %%" % (100 * run["metrics"]["test_error"]), done.stdout)
        self.assertEqual([shard["shard"] for shard in run["per_shard"]], [0, 1, 2, 3])
        self.assertEqual([worker["group"] for worker in run["per_worker"]], ["rest", "rest"])
        self.assertEqual(sum(worker["pushes"]["applied"] for worker in run["per_worker"]), run["pushes"]["applied"])  # over both servers
        self.assertEqual(sum(worker["steps"] for worker in run["per_worker"]), run["updates"])
        with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
            page = file.read()
        data = json.loads(page.split('id="data">')[1].split("</script>")[0])
        self.assertEqual(data["results"], results)
        self.assertIn("--out " + out, data["command"])
        self.assertNotIn("http://", page.replace("http://www.w3.org/2000/svg", ""))
        self.assertEqual(sorted(os.listdir(out)), ["report.html", "results.json"])

    def test_virtual_comparison(self):
        """Real simulations: equal calls give equal files, whatever runs beside what."""
        arguments = ["compare", "--virtual", *SMALL, "--model-opt", "validation=50000", "--runs", "sgd@1,asgd@4,dc-asgd-a@4", "--epochs", "1", "--seeds", "2", "--sweep",
                     "learning-rate=0.05:0.1", "--stops", "5s:1s"]
        texts = []
        for jobs in ("3",) if cluster.SANITIZED else ("1", "3"):
            out = os.path.join(self.folder, "jobs" + jobs)
            done = self.dcps(*arguments, "--jobs", jobs, "--out", out)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
                texts.append(file.read())
        self.assertEqual(len(set(texts)), 1)
        results = json.loads(texts[0])
        self.assertEqual((results["virtual"], results["dataset"], len(results["trials"])), (True, "fashion-mnist", 6))
        self.assertEqual([row["name"] for row in results["summary"]], ["sgd", "asgd", "dc-asgd-a"])
        # Pairs share their order of samples and their delays: only the rule differs.
        asgd, rule = [[run for run in results["runs"] if run["algorithm"] == name] for name in ("asgd", "dc-asgd-a")]
        self.assertEqual([(run["seconds"], run["staleness"]) for run in asgd], [(run["seconds"], run["staleness"]) for run in rule])
        self.assertNotEqual(asgd[0]["staleness"], asgd[1]["staleness"])

    def test_comparison_goes_on(self):
        """A run that is interrupted is no result; those before it are kept."""
        out = os.path.join(self.folder, "out")
        self.train_slowly(100, 1280)  # the second run lasts 8 s, unless it is let go
        arguments = ["compare", *self.model, "--batch-size", "16", "--runs", "asgd@4,sgd@1", "--epochs", "1", "--out", out]
        run = self.start("compare", "dcps", *arguments)
        self.wait("the first run", lambda: os.path.isdir(os.path.join(out, "runs")) and len(os.listdir(os.path.join(out, "runs"))) == 1, 120)
        self.wait("the second run", lambda: "[2/2]" in run.err, 60)
        run.signal(signal.SIGINT)
        self.wait_exit(run, 40, code=1)
        self.assertIn("1 of 2 runs are done and kept", run.out)
        self.train_fast()
        done = self.dcps(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 of the 2 runs were kept from before", done.stdout)
        self.assertNotIn("[1/2] asgd@4", done.stderr)

    def test_files_that_may_not_grow(self):
        """A checkpoint beyond the limit of a user is an error of that server, not its death."""
        command = 'ulimit -f 40; exec "$@"'
        done = subprocess.run(["sh", "-c", command, "sh", os.path.join(cluster.BIN, "dcps"), "run", *SMALL, "--workers", "1", "--epochs", "1",
                               "--checkpoint-dir", os.path.join(self.folder, "checkpoints")], capture_output=True, text=True, timeout=120 * cluster.PATIENCE)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout + done.stderr, r"checkpoint failed.*File too large")
        self.assertNotIn("killed by signal", done.stdout + done.stderr)

    def test_output_that_cannot_be_written(self):
        for arguments in (["--help"], ["--version"], ["run", "--help"], ["run", "--print-config"], ["doctor"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([os.path.join(cluster.BIN, "dcps"), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20 * cluster.PATIENCE)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn("No space left on device", done.stderr, arguments)

    def test_out_is_looked_at_before_training(self):
        taken = os.path.join(self.folder, "taken")
        with open(taken, "w", encoding="utf-8"):
            pass
        for command in ("run", "compare"):
            for out in (taken, os.path.join(taken, "below"), "/proc"):
                done = self.dcps(command, *SMALL, "--epochs", "1000", "--out", out, seconds=20)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(taken if out != "/proc" else "/proc", done.stderr)

    def test_arguments_that_are_no_text(self):
        """What no report could name is refused before anything is trained, wherever it was said."""
        bad = os.fsencode(self.folder) + b"/x\xff"
        with open(os.path.join(self.folder, "config"), "wb") as file:
            file.write(b"out=" + bad + b"\n")
        config = os.path.join(self.folder, "config")
        for command, arguments in (("run", ["--out", bad]), ("compare", ["--out", bad]), ("compare", ["--virtual", "--data", bad]), ("sim", ["--out", bad]), ("run", ["--config", config]),
                                   ("run", ["--out", bad, "--out", self.folder])):
            done = self.dcps(command, *SMALL, "--epochs", "1000", *arguments, seconds=20)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn("is no UTF-8 text", done.stderr)
        self.assertIn("--out", self.dcps("run", *SMALL, "--config", config).stderr)
        self.assertEqual(os.listdir(self.folder), ["config"])

    def test_divergence_is_named(self):
        out = os.path.join(self.folder, "out")
        done = self.dcps("run", *DIVERGING, "--workers", "1", "--out", out)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^asgd +1 .* diverged ")
        self.assertIn("asgd@1 diverged", done.stdout)
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            run = json.load(file)["runs"][0]
        self.assertIsNone(run["train_loss"])
        self.assertTrue(run["diverged"])
        self.assertNotIn("failure", run)

    def test_diverged_runs_have_no_mean_error(self):
        """A classifier whose weights are no numbers has an error all the same, that of guessing, which is none of the rule's."""
        done = self.dcps("compare", *DIVERGING, "--runs", "sgd@1", "--seeds", "2", "--out", os.path.join(self.folder, "out"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^sgd +1 +– +diverged ")

    def test_variables_are_not_for_the_children(self):
        variables = {"DCPS_EVALUATE": "true", "DCPS_ADVERTISE": "no address", "DCPS_SPLIT": "nonsense", "DCPS_TIMEOUT": "x", "DCPS_EPOCHS": "1"}
        done = self.dcps("run", *SMALL, "--workers", "1", variables=variables)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_comparison_needs_every_worker(self):
        """What fewer workers came to is no result of that run: it is not kept."""
        out = os.path.join(self.folder, "out")
        run = self.start("compare", "dcps", "compare", *SMALL, "--runs", "asgd@2", "--epochs", "1000", "--max-restarts", "0", "--out", out)
        self.wait("its training", lambda: "loss" in run.err, 60)
        self.kill_worker(run, 1)
        self.wait_exit(run, 60, code=1)
        self.assertIn("worker 1 was killed by signal 9 (Killed): it died 1 times, and with fewer workers it would be another run", run.out)
        self.assertEqual(os.listdir(os.path.join(out, "runs")), [])
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            kept = json.load(file)["runs"][0]
        self.assertEqual((kept["workers_lost"], kept["restarts"]), (1, 0))
        self.assertIn("died 1 times", kept["failure"])

    def kill_worker(self, run, index):
        for pid in cluster.children(run.process.pid):
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                if b"worker-%d" % index in file.read().split(b"\0"):
                    os.kill(pid, signal.SIGKILL)

    def start_long_run(self):
        run = self.start("run", "dcps", "run", *SMALL, "--workers", "2", "--epochs", "1000", "--log-level", "info",
                         "--out", os.path.join(self.folder, "out"))
        self.wait("its processes", lambda: len(cluster.children(run.process.pid)) >= 3, 60)
        return run, cluster.children(run.process.pid)

    def test_ctrl_c_leaves_nothing(self):
        run, pids = self.start_long_run()
        self.wait("progress", lambda: "samples/s" in run.out + run.err, 60)
        run.signal(signal.SIGINT)
        self.wait_exit(run, 40, code=1)
        with open(os.path.join(self.folder, "out", "results.json"), encoding="utf-8") as file:
            result = json.load(file)["runs"][0]
        self.assertEqual(result["failure"], "stopped on request")
        self.assertGreater(result["samples"], 0)
        self.assertEqual(result["epochs"], 1000)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "out", "report.html")))
        self.assertIn("asgd@2 failed: stopped on request", run.out)
        self.assertIn("stopped on request", run.err)
        self.assertEqual([pid for pid in pids if cluster.alive(pid)], [])

    def test_killed_parent_leaves_nothing(self):
        run, pids = self.start_long_run()
        run.kill()
        self.wait("its children to go", lambda: not any(cluster.alive(pid) for pid in pids), 20)


if __name__ == "__main__":
    cluster.main()
