"""dcps-server from outside: its one line, its flags, its checkpoints, its ways out."""
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

import cluster
import server_peer
import zmtp
from server_peer import Answer

# 640 parameters in 10 blocks of 64, none of them between the tensors.
MODEL = [("w", 608), ("b", 32)]
FLAGS = ["--algorithm", "asgd", "--learning-rate", 0.5, "--block-params", 64, "--batch-size", 10, "--epochs", 3, "--lease-ms", 30000]
SAMPLES = 100
UNSUPPORTED, SESSION, NOT_PULLED = 13, 15, 17  # statuses -7 to -9, zigzag


class ServerTest(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.checkpoints = os.path.join(self.folder, "checkpoints")
        self.file = os.path.join(self.checkpoints, "dcps-0-of-1.safetensors")
        self.peers = []

    def tearDown(self):
        for peer in self.peers:
            peer.close()
        super().tearDown()

    def serve(self, *arguments, name="server", bind="127.0.0.1:0"):
        return self.start_server("--checkpoint-dir", self.checkpoints, *FLAGS, *arguments, name=name, bind=bind)

    def join(self, server, name="w0", declare=True, **keywords):
        worker = server_peer.Worker(server.address, name, **keywords)
        self.peers.append(worker)
        if declare:
            answer = worker.declare(MODEL, SAMPLES)
            self.assertEqual(answer.kind, server_peer.LAYOUT_REPLY, answer.text(5))
        return worker

    def ask(self, server, kind):
        control = server_peer.Control(server.address)
        self.peers.append(control)
        return control.ask(kind)

    def checkpoint(self, server):
        answer = self.ask(server, server_peer.CHECKPOINT)
        self.assertEqual(answer.kind, server_peer.CHECKPOINT_REPLY)
        return answer

    def checkpoint_files(self):
        return sorted(name for name in os.listdir(self.checkpoints) if not name.endswith(".lock"))

    def pull_all(self, worker, initial=1.0):
        for block in range(worker.block_count):
            answer = worker.pull(block, initial)
            self.assertEqual(answer.kind, server_peer.WEIGHTS)

    def weights(self, answers):
        values = set()
        for answer in answers:
            self.assertEqual(answer.kind, server_peer.WEIGHTS, answer.text(5))
            values.update(answer.floats())
        return values

    def run_server(self, *arguments):
        return subprocess.run([os.path.join(cluster.BIN, "dcps-server"), *map(str, arguments)], capture_output=True, text=True,
                              timeout=20 * cluster.PATIENCE)


class CommandLineTest(ServerTest):
    def test_exactly_one_line_on_stdout(self):
        server = self.serve("--shards", 3)
        self.stop(server)
        self.assertEqual(server.out, "dcps-server listening control=%s index=0 shards=3\n" % server.address)

    def test_exit_codes_and_texts(self):
        for arguments, code, words in [
                (["--no-such-flag"], 2, ["--no-such-flag"]),
                (["--algorithm", "asgd", "--ssp-bound", 3], 2, ["--ssp-bound", "asgd"]),
                (["--bind", "0.0.0.0:0"], 2, ["--insecure"]),
                (["--checkpoint-dir", self.checkpoints, "--resume", "yes"], 1, [self.checkpoints]),
                (["--checkpoint-dir", "/proc/nowhere/dir"], 1, ["/proc/nowhere"]),
                (["--help"], 0, []), (["--version"], 0, []), (["--print-config"], 0, [])]:
            done = self.run_server(*arguments)
            self.assertEqual(done.returncode, code, (arguments, done.stderr))
            for word in words:
                self.assertIn(word, done.stderr)
        self.assertIn("lease-ms", done.stdout)

    def test_ipc_sockets_are_private_and_removed(self):
        server = self.serve("--shards", 2, "--transport", "ipc")
        worker = self.join(server, declare=False)
        paths = [endpoint.split("://")[1] for endpoint in worker.endpoints]
        self.assertEqual(len(paths), 2)
        folder = os.path.dirname(paths[0])
        self.assertTrue(all(os.path.exists(path) for path in paths))
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
        worker.finish()
        self.stop(server)
        self.assertFalse(os.path.exists(folder))

    def test_advertised_address_is_told(self):
        server = self.start_server("--insecure", "--advertise", "127.0.0.1:0", *FLAGS, bind="0.0.0.0:0")
        self.assertTrue(server.address.startswith("127.0.0.1:"))
        worker = self.join(server)
        self.assertTrue(all(endpoint.startswith("tcp://127.0.0.1:") for endpoint in worker.endpoints))
        self.pull_all(worker)


class StreamsTest(ServerTest):
    def check_streams(self, process):
        """The program opened /dev/null in the places of the three streams that its caller closed."""
        def places():
            try:
                return [os.readlink("/proc/%d/fd/%d" % (process.process.pid, number)) for number in range(3)]
            except OSError:
                return []
        self.wait("streams of " + process.name, lambda: places() == ["/dev/null"] * 3, 5)

    def start_closed(self, name, program, *arguments):
        command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', name, os.path.join(cluster.BIN, program), *map(str, arguments)]
        process = cluster.Process(self.folder, name, command)
        self.processes.append(process)
        return process

    def test_programs_without_streams(self):
        address = "127.0.0.1:%d" % cluster.free_ports(1)[0]
        server = self.start_closed("server", "dcps-server", "--bind", address, *FLAGS)
        self.wait("status of a server without streams", lambda: self.status(address), 10)
        self.check_streams(server)
        worker = self.start_closed("worker", "dcps-worker", "--servers", address, *self.model)
        self.check_streams(worker)
        self.wait("updates", lambda: self.answered(address)[0]["updates"] > 0, 30)
        self.assertIsNone(server.code)
        waiting = self.start_closed("waiting", "dcps", "status", "--timeout", 100, "127.0.0.1:%d" % cluster.free_ports(1)[0])
        self.check_streams(waiting)


class DescriptorsTest(ServerTest):
    def start_limited(self, soft, hard, *arguments):
        script = 'ulimit -Sn %d && ulimit -Hn %d && exec "$@"' % (soft, hard)
        command = ["sh", "-c", script, "server", os.path.join(cluster.BIN, "dcps-server"), "--bind", "127.0.0.1:0", *map(str, arguments)]
        process = cluster.Process(self.folder, "server", command)
        self.processes.append(process)
        self.wait("it to listen", lambda: "listening" in process.out, 20)
        return process

    def limit_of(self, process):
        with open("/proc/%d/limits" % process.process.pid) as limits:
            return next(line.split()[3:5] for line in limits if line.startswith("Max open files"))

    def test_limit_is_raised_as_far_as_it_goes(self):
        server = self.start_limited(200, 400, *FLAGS, "--shards", 2, "--workers", 100)  # 100 · 3 + 64
        self.assertEqual(self.limit_of(server), ["400", "400"])
        self.assertNotIn("are allowed", server.err)

    def test_limit_that_is_too_low_is_told(self):
        server = self.start_limited(200, 363, *FLAGS, "--shards", 2, "--workers", 100)
        self.assertRegex(server.err, "100 workers and 2 shards need 364 open files at once, 363 are allowed")


class CheckpointTest(ServerTest):
    def train_some(self, server, steps):
        worker = self.join(server)
        self.pull_all(worker)
        for _ in range(steps):
            answers = worker.train(0.25, samples=10)
        self.assertEqual(self.weights(answers), {1.0 - steps * 0.125})
        return worker

    def test_kill_and_resume_on_other_shards(self):
        server = self.serve("--shards", 2)
        worker = self.train_some(server, 4)
        answer = self.checkpoint(server)
        self.assertEqual((answer.field(1), answer.text(2)), (0, self.file))
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o644)
        identity, seqs, step = worker.identity, worker.seqs, worker.step
        server.kill()
        restarted = self.serve("--shards", 3, "--resume", "yes", name="restarted", bind=server.address)
        self.wait_text(restarted, r"resumed from .*: 40 samples \(epoch 0\.40 of 3\)", 20)
        back = self.join(restarted, identity=identity)
        self.assertEqual(back.identity, identity)
        back.seqs, back.step = dict(seqs), step
        # The same push again: known, so not applied, but answered.
        again = [back.push(block, 0.25, 10, seq=seqs[block]) for block in range(back.block_count)]
        self.assertEqual(self.weights(again), {0.5})
        self.assertEqual(self.weights(back.train(0.25, samples=10)), {0.375})
        self.wait("the counters", lambda: self.ask(restarted, server_peer.STATUS).field(4) == 50, 10)
        # Each shard publishes its counters in its own time.
        self.wait("all shards' counters", lambda: self.ask(restarted, server_peer.STATUS).field(15) == back.block_count, 10)
        self.assertEqual(self.ask(restarted, server_peer.STATUS).field(7), 5)
        back.finish()
        self.stop(restarted)

    def test_two_servers_go_on_as_one(self):
        ports = cluster.free_ports(2)
        addresses = ["127.0.0.1:%d" % port for port in ports]
        servers = [self.serve("--index", i, "--servers", ",".join(addresses), "--shards", 3, name="server%d" % i, bind=addresses[i])
                   for i in range(2)]
        zero = self.join(servers[0], count=2)
        one = self.join(servers[1], index=1, count=2, identity=zero.identity, nonce=zero.nonce)
        for block in range(zero.block_count):
            owner = one if zero.shard_of(block) >= 3 else zero
            owner.pull(block, float(block))
            owner.step = 1
            owner.push(block, 1.0, samples=10)
        for server, worker in zip(servers, (zero, one)):
            worker.finish()
            self.stop(server)
        self.assertEqual(self.checkpoint_files(), ["dcps-0-of-2.safetensors", "dcps-1-of-2.safetensors"])
        joined = self.serve("--resume", "yes", name="joined")
        worker = self.join(joined, name="w9")
        for block in range(worker.block_count):
            self.assertEqual(set(worker.pull(block).floats()), {block - 0.5})

    def test_periodic_checkpoints(self):
        server = self.serve("--checkpoint-every", 0.2)
        worker = self.join(server)
        time.sleep(0.5)
        self.assertEqual(self.checkpoint_files(), [])
        self.pull_all(worker)
        self.wait("a checkpoint", lambda: os.path.exists(self.file), 20)
        first = os.stat(self.file).st_mtime_ns
        time.sleep(1)
        self.assertEqual(os.stat(self.file).st_mtime_ns, first)  # nothing has changed
        worker.train(0.25, samples=10)
        self.wait("the next checkpoint", lambda: os.stat(self.file).st_mtime_ns != first, 20)

    def test_finished_run_is_kept_at_once(self):
        server = self.serve("--checkpoint-every", 0)
        self.train_some(server, 1)
        worker = self.peers[-1]
        for _ in range(3 * SAMPLES // 10 - 1):
            worker.train(0.25, samples=10)
        self.wait_text(server, r"run complete", 20)
        self.wait_text(server, r"(?s)run complete.*checkpoint written", 20)
        server.kill()
        restarted = self.serve("--resume", "yes", name="restarted")
        self.wait_text(restarted, r"resumed from .*: 300 samples \(epoch 3\.00 of 3\)", 20)

    def test_settings_that_cannot_change(self):
        server = self.serve()
        worker = self.train_some(server, 1)
        worker.finish()
        self.stop(server)
        self.assertTrue(os.path.exists(self.file))
        for flag, value, word in [("--batch-size", 20, "--batch-size 10"), ("--seed", 2, "--seed 1"), ("--epochs", 2, "--epochs 3")]:
            done = self.run_server("--checkpoint-dir", self.checkpoints, "--resume", "auto", *FLAGS, flag, value)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)
        longer = self.serve("--epochs", 4, "--learning-rate", 0.125, "--resume", "auto", name="longer")
        self.wait_text(longer, r"warn: the checkpoint was made with .*learning rate 0\.5, .*; going on with .*learning rate 0\.125, ", 20)
        self.wait_text(longer, r"resumed from", 20)

    def test_damaged_checkpoint_is_refused_by_name(self):
        server = self.serve()
        worker = self.train_some(server, 1)
        worker.finish()
        self.stop(server)
        with open(self.file, "r+b") as file:
            file.truncate(os.path.getsize(self.file) - 1)
        for resume in ("yes", "auto"):
            done = self.run_server("--checkpoint-dir", self.checkpoints, "--resume", resume, *FLAGS)
            self.assertEqual(done.returncode, 1)
            self.assertIn(self.file, done.stderr)

    def test_earlier_run_is_never_overwritten(self):
        server = self.serve()
        self.train_some(server, 1).finish()
        self.stop(server)
        with open(self.file, "rb") as file:
            kept = file.read()
        addresses = ",".join("127.0.0.1:%d" % port for port in cluster.free_ports(2))
        for shape in ([], ["--index", 1, "--servers", addresses]):
            done = self.run_server("--checkpoint-dir", self.checkpoints, *FLAGS, *shape)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(self.checkpoints, done.stderr)
            self.assertIn("--resume yes", done.stderr)
            self.assertEqual(done.stdout, "")
        with open(self.file, "rb") as file:
            self.assertEqual(file.read(), kept)

    def test_companion_that_was_first_is_no_earlier_run(self):
        ports = cluster.free_ports(2)
        addresses = ["127.0.0.1:%d" % port for port in ports]
        shape = ["--servers", ",".join(addresses), "--index"]
        os.mkdir(self.checkpoints)
        open(os.path.join(self.checkpoints, "dcps-0-of-2.safetensors"), "w").close()
        self.serve(*shape, 1, name="server1", bind=addresses[1])
        done = self.run_server("--checkpoint-dir", self.checkpoints, *FLAGS, *shape, 0, "--bind", addresses[0])
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("--resume yes", done.stderr)

    def test_two_runs_cannot_share_a_folder(self):
        first = self.serve()
        for resume in ("no", "auto"):
            done = self.run_server("--checkpoint-dir", self.checkpoints, "--resume", resume, *FLAGS)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("--checkpoint-dir %s" % self.checkpoints, done.stderr)
            self.assertIn("process %d" % first.process.pid, done.stderr)
            self.assertEqual(done.stdout, "")
        # A companion is no second run, and a server that was killed holds nothing.
        addresses = ["127.0.0.1:%d" % port for port in cluster.free_ports(2)]
        self.serve("--index", 1, "--servers", ",".join(addresses), name="companion", bind=addresses[1])
        first.kill()
        self.serve(name="next")

    def test_trace_begins_after_the_checkpoint_was_accepted(self):
        server = self.serve()
        self.train_some(server, 1).finish()
        self.stop(server)
        trace = os.path.join(self.folder, "trace")
        flags = ["--checkpoint-dir", self.checkpoints, *FLAGS, "--record-trace", trace]
        done = self.run_server(*flags, "--resume", "yes", "--seed", 2)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--seed 1", done.stderr)
        self.assertFalse(os.path.exists(trace) and os.listdir(trace))

    def test_grace_is_that_of_a_beginning(self):
        """With --resume auto and nothing to resume the first of two workers waits for the second, not for two leases."""
        server = self.serve("--algorithm", "ssgd", "--workers", 2, "--lease-ms", 1000, "--resume", "auto")
        first = self.join(server, name="first")
        answer = first.send(server_peer.PULL, 0, first.request(0, first.next_seq(0)))
        self.assertEqual(answer.kind, server_peer.NEED_INIT)
        values = struct.pack("<%df" % first.length_of(0), *[1.0] * first.length_of(0))
        first.socket_of(0).send(zmtp.header(server_peer.INIT, first.request(0, first.next_seq(0))), values)
        for _ in range(8):
            time.sleep(0.3)
            self.assertEqual(first.control.ask(server_peer.HEARTBEAT, zmtp.field(1, first.session)).kind,
                             server_peer.HEARTBEAT_REPLY)
        self.assertEqual(first.send(server_peer.QUERY, 0, first.request(0, first.seqs[0])).kind, server_peer.PENDING)

    def test_worker_that_is_stopped_does_not_end_the_run(self):
        server = self.serve()
        worker = self.train_some(server, 1)
        worker.finish(done=False)
        self.wait_text(server, r"worker 0 \(.*\) has left before the end: 0 are left", 20)
        status = self.answered(server.address)[0]
        self.assertNotIn("weights_digest", status)
        self.assertEqual((status["state"], status["workers_lost"]), ("training", 0))
        other = self.join(server, name="other")
        self.pull_all(other)
        self.assertEqual(self.weights(other.train(0.25, samples=10)), {0.75})
        other.finish()
        self.wait("the end", lambda: "weights_digest" in self.answered(server.address)[0], 20)

    def test_auto_begins_anew_in_an_empty_folder(self):
        server = self.serve("--resume", "auto")
        self.wait_text(server, "beginning anew", 20)
        self.train_some(server, 2)

    def test_failing_checkpoint_does_not_stop_the_training(self):
        server = self.serve()
        worker = self.train_some(server, 1)
        shutil.rmtree(self.checkpoints)
        answer = self.checkpoint(server)
        self.assertNotEqual(answer.field(1), 0)
        self.assertIn(self.file, answer.text(2))
        self.wait_text(server, "error: checkpoint failed.*" + self.file, 20)
        self.assertEqual(self.weights(worker.train(0.25, samples=10)), {0.75})
        worker.finish()
        server.signal(signal.SIGTERM)
        self.wait_exit(server, 20, code=1)

    def test_first_checkpoint_is_tried_until_it_is_written(self):
        server = self.serve("--checkpoint-every", 0)
        worker = self.join(server)
        shutil.rmtree(self.checkpoints)
        self.pull_all(worker)
        self.wait_text(server, "error: checkpoint failed.*" + self.file, 20)
        os.mkdir(self.checkpoints)
        self.wait("the first checkpoint", lambda: os.path.exists(self.file), 30)
        self.assertEqual(server.err.count("checkpoint failed"), 1)

    def test_nothing_to_save_is_told(self):
        server = self.serve()
        self.assertIn("no worker has declared", self.checkpoint(server).text(2))
        worker = self.join(server)
        self.assertIn("0 of 10 blocks", self.checkpoint(server).text(2))
        self.pull_all(worker)
        self.wait("the first checkpoint, which those did not use up", lambda: os.path.exists(self.file), 20)
        plain = self.start_server(*FLAGS, name="plain")
        answer = self.checkpoint(plain)
        self.assertEqual(answer.field(1), UNSUPPORTED)
        self.assertIn("--checkpoint-dir", answer.text(2))
        self.assertNotIn("checkpoint", plain.err)  # whoever asks must not fill its log


class StopTest(ServerTest):
    def setUp(self):
        super().setUp()
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started these tests
        self.addCleanup(signal.signal, signal.SIGHUP, before)

    def test_workers_are_told_and_waited_for(self):
        server = self.serve("--shards", 2, "--lease-ms", 20000)
        worker = self.join(server)
        self.pull_all(worker)
        self.assertEqual(worker.train(0.0, samples=10)[0].field(6), server_peer.TICKET_BATCH)
        server.signal(signal.SIGTERM)
        self.wait_text(server, "SIGTERM: stopping", 20)
        answers = worker.train(0.0, samples=10)
        self.assertEqual(answers[0].field(6), server_peer.TICKET_DONE)
        self.assertIsNone(server.code)
        self.assertEqual(worker.finish().kind, server_peer.FINISH_REPLY)
        self.wait_exit(server, 10)
        self.assertTrue(os.path.exists(self.file))

    def test_silent_workers_are_not_waited_for_long(self):
        server = self.serve("--lease-ms", int(1000 * cluster.PATIENCE))
        begin = time.monotonic()
        worker = self.join(server)
        self.pull_all(worker)
        server.signal(signal.SIGINT)
        self.wait_exit(server, 20)
        self.assertGreater(time.monotonic() - begin, 0.9 * cluster.PATIENCE)  # the lease is counted from what the server heard last
        self.assertTrue(os.path.exists(self.file))

    def test_requested_checkpoints_do_not_keep_it(self):
        """Some ask for the next checkpoint as soon as they have one."""
        server = self.serve("--lease-ms", 20000)
        self.pull_all(self.join(server))
        stop, answers = threading.Event(), []

        def ask_again_and_again():
            control = server_peer.Control(server.address)
            try:
                while not stop.is_set():
                    answers.append(control.ask(server_peer.CHECKPOINT))
            except OSError:
                pass  # it has left
            finally:
                control.close()

        threads = [threading.Thread(target=ask_again_and_again) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            self.wait("checkpoints", lambda: len(answers) > 30, 20)
            server.signal(signal.SIGTERM)
            self.wait("a refusal", lambda: "stopping" in answers[-1].text(2), 10)
            self.assertEqual(self.peers[0].finish().kind, server_peer.FINISH_REPLY)
            self.wait_exit(server, 10)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.checkpoint_files(), ["dcps-0-of-1.safetensors"])

    def test_hangup_stops_like_the_others(self):
        """And is no impatience: a terminal, a shell and a session manager may each send one."""
        server = self.serve("--lease-ms", int(1000 * cluster.PATIENCE))
        self.pull_all(self.join(server))
        server.signal(signal.SIGHUP)
        self.wait_text(server, "SIGHUP: stopping", 20)
        time.sleep(0.4)  # it would count as another request
        server.signal(signal.SIGHUP)
        self.wait_exit(server, 20)
        self.assertTrue(os.path.exists(self.file))

    def test_nohup_is_respected(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # children inherit that
        try:
            server = self.serve()
        finally:
            signal.signal(signal.SIGHUP, before)
        server.signal(signal.SIGHUP)
        self.assertEqual(self.ask(server, server_peer.STATUS).kind, server_peer.STATUS_REPLY)
        time.sleep(0.3)
        self.assertNotIn("stopping", server.err)
        self.stop(server)

    def test_second_signal_leaves_at_once(self):
        server = self.serve("--lease-ms", 60000)
        self.join(server)
        server.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):  # two at the same moment are one request
            server.signal(number)
        self.wait_text(server, "SIG(TERM|INT): stopping", 20)
        time.sleep(0.5)
        self.assertIsNone(server.code)
        server.signal(signal.SIGTERM)
        self.wait_exit(server, 20, code=1)


class AwaitedTest(ServerTest):
    """Workers whose leases go on while they compute nothing."""

    def serve_two(self, *arguments):
        server = self.serve("--algorithm", "ssgd", "--workers", 2, "--shards", 2, "--start-grace-ms", 1, *arguments)
        stuck, other = (self.join(server, name=name) for name in ("stuck", "other"))
        for worker in (stuck, other):
            self.pull_all(worker)
        return server, stuck, other

    def test_who_is_waited_for_is_named(self):
        server, _, other = self.serve_two()
        other.step = 1
        body = zmtp.field(1, other.request(0, other.next_seq(0))) + zmtp.field(2, 0)
        other.socket_of(0).send(zmtp.header(server_peer.PUSH_PULL, body))
        told = r"others wait for worker 0 \(stuck\), whose lease goes on: it has not pushed block 0 for 1\d\.\d s; --round-timeout-ms"
        self.wait_text(server, told, 30)
        time.sleep(1)
        self.assertEqual(server.err.count("others wait for"), 1)  # not ten times a second
        self.assertNotIn("is left out", server.err)

    def test_round_goes_on_without_it(self):
        server, stuck, other = self.serve_two("--round-timeout-ms", 700)
        begin = time.monotonic()
        self.assertEqual(self.weights(other.train(1.0, samples=10)), {0.5})
        self.assertGreater(time.monotonic() - begin, 0.6)
        self.wait_text(server, r"worker 0 \(stuck\) is left out, although its lease goes on: others have waited for it for \d\.\d s", 20)
        refusal = Answer(stuck.control.peer.receive())  # it is told
        self.assertEqual((refusal.kind, refusal.field(1)), (server_peer.ERROR, SESSION))
        # It wakes: its gradient is of no use any more, in its old session and in the new one.
        self.assertEqual(stuck.train(1.0, samples=10)[3].field(1), SESSION)
        back = self.join(server, name="stuck", identity=stuck.identity)
        self.assertEqual(back.identity, (0, 2))
        back.seqs, back.step = dict(stuck.seqs), stuck.step
        self.assertEqual({answer.field(1) for answer in back.train(1.0, samples=10)}, {NOT_PULLED})
        self.assertEqual({block: back.pull(block).floats()[0] for block in range(10)}, {block: 0.5 for block in range(10)})
        self.wait("the counters", lambda: self.ask(server, server_peer.STATUS).field(14) == 10, 10)


class LeaseTest(ServerTest):
    def test_expiry_is_told_with_name_and_silence(self):
        server = self.serve("--workers", 2, "--lease-ms", 1000)
        self.join(server, name="host:41")
        self.wait_text(server, r"worker 0 \(host:41\) joined: 1 of 2", 10)
        self.wait_text(server, r"worker 0 \(host:41\) is gone: nothing heard for [1-9]\d*\.\d s; continuing without it", 20)
        self.wait_text(server, r"waiting for workers: 0 of 2 joined", 20)

    def test_snapshots_beyond_the_memory_are_told(self):
        server = self.serve("--block-params", 262144, "--snapshot-every-samples", 1)
        worker = self.join(server, declare=False)
        self.assertEqual(worker.declare([("w", 4000000)], 20000).kind, server_peer.LAYOUT_REPLY)
        self.wait_text(server, r"warn: 60000 snapshots of 16\.8 MB for evaluation may take 1006\.6 GB.*--snapshot-every-samples", 20)

    def test_session_is_known_to_shards_when_welcomed(self):
        """Straight from the WELCOME to the data plane, many times: never a request before its session."""
        server = self.serve("--shards", 4)
        first = self.join(server, name="first")
        self.pull_all(first)
        for i in range(50):
            worker = self.join(server, name="other%d" % i)
            for block in range(worker.block_count):
                answer = worker.pull(block)
                self.assertEqual(answer.kind, server_peer.WEIGHTS, answer.text(5))
            worker.finish()
            worker.close()

    def test_status_sums_over_shards(self):
        server = self.serve("--shards", 2, "--workers", 3)
        worker = self.join(server)
        self.pull_all(worker)
        self.assertIsNone(self.answered(server.address)[0]["train_loss"])
        for _ in range(3):
            worker.train(0.0, samples=10)
        self.wait("the counters", lambda: self.ask(server, server_peer.STATUS).field(14) == 30, 10)
        status = self.ask(server, server_peer.STATUS)
        self.assertEqual([status.field(number) for number in (2, 4, 5, 6, 7, 10, 11, 12, 14)], [1, 30, 100, 3, 3, 1, 3, 0, 30])
        self.assertEqual(status.field(18), 4 * worker.total * 4)
        self.assertEqual(struct.unpack("<d", status.field(9).to_bytes(8, "little"))[0], 1.0)
        self.assertEqual(list(status.field(20)), [30])
        self.assertEqual(status.text(21), "asgd")


if __name__ == "__main__":
    cluster.main()
