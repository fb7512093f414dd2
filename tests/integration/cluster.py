"""Real processes for the integration tests: starts servers and workers, watches them, and never leaves one behind."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.environ.get("DCPS_BIN", "build/dev/bin")
# Sanitized builds are slower: waits are this many times longer, and tests take fewer steps. Nothing here is a benchmark.
PATIENCE = float(os.environ.get("DCPS_TEST_PATIENCE", "1"))
SANITIZED = PATIENCE > 1
# A folder with the published data sets, or None. Programs of the tests look for data where they are installed, unless they are told otherwise.
DATA = os.environ.get("DCPS_TEST_DATA") or os.environ.get("DCPS_DATA")
os.environ.pop("DCPS_DATA", None)


def paced(step_ms, samples, pace_file=""):
    """A model that takes this long for each step, or only as long as `pace_file` exists, so that a test knows how long a run lasts."""
    path = os.path.join(BIN, "..", "tests", "models", "paced.so")
    return ["--model", path, "--model-opt", "step-ms=%g" % step_ms, "--model-opt", "samples=%d" % samples, "--model-opt", "pace-file=" + pace_file]


needs_node = unittest.skipUnless(shutil.which("node"), "node, which runs the scripts of a report, is not installed")


def shown_by(page):
    """What the scripts of a report make of it."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report_dom.js")
    return json.loads(subprocess.run(["node", script, page], check=True, capture_output=True, text=True).stdout)


def free_ports(count):
    """Ports at which nobody listens, below those that the system gives to whoever asks for any."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def children(pid):
    """The processes that a process which still runs has started."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def alive(pid):
    """False also for a process that only waits to be reaped."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


class Process:
    """One program with its output in files, so that nothing blocks on a pipe."""

    def __init__(self, folder, name, arguments):
        self.name = name
        self.arguments = arguments
        self.out_path = os.path.join(folder, name + ".out")
        self.err_path = os.path.join(folder, name + ".err")
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.process = subprocess.Popen(arguments, stdout=out, stderr=err, stdin=subprocess.DEVNULL)

    @property
    def out(self):
        with open(self.out_path, errors="replace") as file:
            return file.read()

    @property
    def err(self):
        with open(self.err_path, errors="replace") as file:
            return file.read()

    @property
    def code(self):
        return self.process.poll()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def describe(self):
        return "--- %s (exit %s): %s\n%s\n%s" % (self.name, self.code, " ".join(self.arguments), self.out[-2000:], self.err[-4000:])


class ClusterTest(unittest.TestCase):
    """Gives each test a folder, programs in it, and their output when it fails."""

    # A small model on real data.
    model = ["--model", "mlp", "--model-opt", "hidden=16"]

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dcps-test-")
        self.processes = []

    def train_slowly(self, step_ms, samples):
        """From here on workers take their time for each step, until the test calls train_fast: so it sees the middle of a run on any machine, and need not wait for its end."""
        self.pace_file = os.path.join(self.folder, "pace")
        with open(self.pace_file, "w"):
            pass
        self.model = paced(step_ms * PATIENCE, samples, self.pace_file)

    def train_fast(self):
        os.unlink(self.pace_file)

    def tearDown(self):
        for process in self.processes:
            process.kill()
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        failed = result is not None and any(test is self for test, _ in result.failures + result.errors)
        if failed or os.environ.get("DCPS_TEST_VERBOSE"):
            for process in self.processes:
                print(process.describe(), file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, program, *arguments):
        process = Process(self.folder, name, [os.path.join(BIN, program), *map(str, arguments)])
        self.processes.append(process)
        return process

    def wait(self, what, condition, seconds):
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        for process in self.processes:
            print(process.describe(), file=sys.stderr)
        self.fail("%s: not within %g s" % (what, seconds * PATIENCE))

    def start_server(self, *arguments, name="server", bind="127.0.0.1:0"):
        pattern = re.compile(r"dcps-server listening control=(\S+) index=(\d+) shards=(\d+)")
        earlier = [process for process in self.processes if process.name == name]
        seen_before = len(pattern.findall(earlier[-1].out)) if earlier else 0
        server = self.start(name, "dcps-server", "--bind", bind, *arguments)
        self.wait("the server's address", lambda: len(pattern.findall(server.out)) > seen_before or server.code is not None, 20)
        self.assertIsNone(server.code, server.describe())
        server.address = pattern.findall(server.out)[-1][0]
        return server

    def start_worker(self, servers, *arguments, name=None):
        name = name or "worker%d" % sum(p.name.startswith("worker") for p in self.processes)
        return self.start(name, "dcps-worker", "--servers", servers, *self.model, *arguments)

    def status(self, servers):
        """The documents of all servers, or None while one does not answer."""
        done = subprocess.run([os.path.join(BIN, "dcps"), "status", "--json", servers], capture_output=True, text=True, timeout=30 * PATIENCE)
        try:
            answer = json.loads(done.stdout)["servers"]
        except (ValueError, KeyError):
            return None
        return answer if all("samples" in server for server in answer) else None

    def answered(self, servers):
        """Those documents: where one call gets no answer from a busy machine, the next may."""
        return self.wait("answers of all servers", lambda: self.status(servers), 20)

    def live_workers(self, servers):
        status = self.status(servers)
        return status[0]["workers_live"] if status else None

    def wait_all_samples(self, servers, samples):
        """Shards publish their counters a moment after the last update: until each server that owns blocks has applied so many. Returns the documents."""
        def complete():
            status = self.status(servers)
            return status if status and all(server["samples"] == samples for server in status) else None
        return self.wait("all %d samples" % samples, complete, 20)

    def samples(self, servers):
        status = self.status(servers)
        return status[0]["samples"] if status else 0

    def wait_samples(self, servers, samples, seconds=60):
        self.wait("%d samples trained" % samples, lambda: self.samples(servers) >= samples, seconds)

    def wait_exit(self, process, seconds, code=0):
        self.wait("exit of " + process.name, lambda: process.code is not None, seconds)
        self.assertEqual(process.code, code, process.describe())

    def wait_text(self, process, text, seconds):
        self.wait("%r from %s" % (text, process.name), lambda: re.search(text, process.err), seconds)

    def stop(self, server, seconds=20):
        server.signal(signal.SIGTERM)
        self.wait_exit(server, seconds)


class TimedResult(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln("    %.1f s" % (time.monotonic() - self.began))


def main():
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=2, resultclass=TimedResult))
