"""What happens when processes die, stall and come back: nothing hangs, messages are clear and quick, every batch is applied once."""
import os
import signal
import subprocess
import time

import cluster

EPOCHS = 2
EPOCH_SAMPLES = 4000
BATCH = 16
STEPS = EPOCHS * EPOCH_SAMPLES // BATCH
STEP_MS = 100  # slowly, a run of two workers lasts 25 s at least
SOME = 8 * BATCH  # samples that show that training goes on
LEASE_MS = int(2000 + 400 * (cluster.PATIENCE - 1))


class KillTest(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.train_slowly(STEP_MS, EPOCH_SAMPLES)

    def start_training(self, algorithm, workers, *extra, **keywords):
        server = self.start_server("--workers", workers, "--shards", 2, "--algorithm", algorithm, "--epochs", EPOCHS,
                                   "--batch-size", BATCH, "--learning-rate", 0.02, "--lease-ms", LEASE_MS, *extra, **keywords)
        processes = [self.start_worker(server.address) for _ in range(workers)]
        self.wait("all workers", lambda: self.live_workers(server.address) == workers, 20)
        return server, processes

    def check_complete(self, server, lost_workers):
        """Every batch was applied exactly once at the block that hands them out; elsewhere at most a dead worker's last push is missing or extra."""
        status = self.wait_all_samples(server.address, EPOCHS * EPOCH_SAMPLES)[0]
        self.assertEqual(status["state"], "done")
        blocks = round(status["pushes_applied"] / STEPS)
        self.assertGreaterEqual(blocks, 2)
        self.wait("all pushes", lambda: abs(self.answered(server.address)[0]["pushes_applied"] - blocks * STEPS) <= blocks * lost_workers, 10)

    def finish(self, *workers):
        self.train_fast()
        for worker in workers:
            self.wait_exit(worker, 120)

    def kill_worker(self, algorithm):
        server, workers = self.start_training(algorithm, 3)
        self.wait_samples(server.address, SOME)
        workers[1].process.kill()
        self.wait_text(server, r"worker \d+ .*gone: nothing heard for", LEASE_MS / 1000 + 10)
        self.finish(workers[0], workers[2])
        self.check_complete(server, 1)
        self.stop(server)

    def test_kill_worker_asynchronous(self):
        self.kill_worker("dc-asgd-a")

    def test_kill_worker_synchronous(self):
        self.kill_worker("ssgd")

    def test_replace_worker_synchronous(self):
        server, workers = self.start_training("ssgd", 2)
        self.wait_samples(server.address, SOME)
        workers[0].process.kill()
        replacement = self.start_worker(server.address, name="worker-new")
        self.wait_text(replacement, r"trains paced", 20)
        self.finish(workers[1], replacement)
        self.assertIn('"steps"', replacement.out)
        self.check_complete(server, 1)
        self.stop(server)

    def test_kill_and_restart_server(self):
        port = cluster.free_ports(1)[0]
        folder = os.path.join(self.folder, "checkpoints")
        flags = ["--checkpoint-dir", folder, "--checkpoint-every", 1]
        server, workers = self.start_training("dc-asgd-c", 2, *flags, bind="127.0.0.1:%d" % port)
        self.wait("a checkpoint", lambda: os.path.exists(os.path.join(folder, "dcps-0-of-1.safetensors")), 30)
        self.wait_samples(server.address, SOME)
        server.process.kill()
        server.process.wait()
        for worker in workers:
            self.wait_text(worker, r"server 0 does not answer at \S*:%d" % port, 15)
        restarted = self.start_server("--workers", 2, "--shards", 3, "--algorithm", "dc-asgd-c", "--epochs", EPOCHS, "--batch-size", BATCH,
                                      "--learning-rate", 0.02, "--lease-ms", LEASE_MS, *flags, "--resume", "yes",
                                      name="server-restarted", bind="127.0.0.1:%d" % port)
        self.finish(*workers)
        self.wait_all_samples(restarted.address, EPOCHS * EPOCH_SAMPLES)
        self.stop(restarted)

    def test_restart_one_of_two_servers(self):
        """Its part of the model loses what came after its checkpoint, and yet ends with the run."""
        ports = cluster.free_ports(2)
        servers = ",".join("127.0.0.1:%d" % port for port in ports)
        flags = ["--servers", servers, "--workers", 2, "--algorithm", "asgd", "--epochs", EPOCHS, "--batch-size", BATCH, "--learning-rate", 0.02,
                 "--lease-ms", LEASE_MS, "--checkpoint-dir", os.path.join(self.folder, "checkpoints"), "--snapshot-every-samples", "epoch"]
        first = self.start_server("--index", 0, *flags, name="server0", bind="127.0.0.1:%d" % ports[0])
        second = self.start_server("--index", 1, *flags, name="server1", bind="127.0.0.1:%d" % ports[1])
        workers = [self.start_worker(servers) for _ in range(2)]
        self.wait_samples(servers, SOME)  # the only checkpoint is that of the beginning
        second.process.kill()
        second.process.wait()
        second = self.start_server("--index", 1, *flags, "--resume", "yes", name="server1", bind="127.0.0.1:%d" % ports[1])
        evaluator = self.start_worker(servers, "--evaluate", name="worker-evaluates")
        self.finish(*workers)
        self.wait_text(second, r"blocks came from a checkpoint of another age", 10)
        slack = 4 * 2 * BATCH
        self.wait("the end on both", lambda: all(s["state"] == "done" and abs(s["samples"] - EPOCHS * EPOCH_SAMPLES) <= slack
                                                 for s in self.status(servers) or [{"state": "", "samples": 0}]), 10)
        self.wait_exit(evaluator, 30)
        self.assertIn('"epoch":2', evaluator.out.replace(" ", ""))  # the last figure is there
        self.stop(first)
        self.stop(second)

    def test_server_that_lost_everything_is_refused(self):
        port = cluster.free_ports(1)[0]
        server, workers = self.start_training("asgd", 2, bind="127.0.0.1:%d" % port)
        self.wait_samples(server.address, SOME)
        server.process.kill()
        server.process.wait()
        empty = self.start_server("--workers", 2, "--epochs", EPOCHS, "--batch-size", BATCH, "--lease-ms", LEASE_MS, name="server-empty", bind="127.0.0.1:%d" % port)
        for worker in workers:
            self.wait_exit(worker, 30, code=1)
        self.assertRegex(workers[0].err + workers[1].err, r"server 0 was started again without the parameters it held")
        self.stop(empty)

    def stall_worker(self, algorithm):
        server, workers = self.start_training(algorithm, 2)
        self.wait_samples(server.address, SOME)
        workers[0].signal(signal.SIGSTOP)
        self.wait_text(server, r"worker \d+ .*gone: nothing heard for", LEASE_MS / 1000 + 10)
        before = self.samples(server.address)
        self.wait_samples(server.address, before + SOME, 20)
        workers[0].signal(signal.SIGCONT)
        self.wait_text(workers[0], r"joined again", 20)
        self.finish(*workers)
        self.check_complete(server, 1)
        self.stop(server)

    def test_stall_worker_asynchronous(self):
        self.stall_worker("asgd")

    def test_stall_worker_synchronous(self):
        self.stall_worker("ssgd")

    def test_worker_that_wakes_after_the_end(self):
        """It holds nobody up, and is told when it comes back."""
        server, workers = self.start_training("asgd", 2)
        self.wait_samples(server.address, SOME)
        workers[0].signal(signal.SIGSTOP)
        self.finish(workers[1])
        self.check_complete(server, 1)
        workers[0].signal(signal.SIGCONT)
        self.wait_exit(workers[0], 10)
        self.assertEqual(self.answered(server.address)[0]["workers_live"], 0)
        self.check_complete(server, 1)
        self.stop(server)

    def counts(self, workers, text):
        return [worker.err.count(text) for worker in workers]

    def test_server_that_stands_still_loses_nobody(self):
        """Heartbeats went on all the time, and wait in the kernel when the server wakes."""
        server, workers = self.start_training("asgd", 2)
        for _ in range(2):
            self.wait_samples(server.address, self.samples(server.address) + SOME)
            told, answered = self.counts(workers, "server 0 does not answer"), self.counts(workers, "server 0 answers")
            server.signal(signal.SIGSTOP)
            time.sleep(1.2 * LEASE_MS / 1000)
            self.wait("silence to be told", lambda: all(map(int.__gt__, self.counts(workers, "server 0 does not answer"), told)), 20)
            server.signal(signal.SIGCONT)
            self.wait("the end of the silence", lambda: all(map(int.__gt__, self.counts(workers, "server 0 answers"), answered)), 20)
        self.finish(*workers)
        self.check_complete(server, 0)
        self.assertEqual(self.answered(server.address)[0]["workers_lost"], 0)
        self.stop(server)

    def test_all_workers_gone_and_back(self):
        server, workers = self.start_training("ssp", 2)
        self.wait_samples(server.address, SOME)
        for worker in workers:
            worker.process.kill()
        self.wait("the end of both leases", lambda: self.live_workers(server.address) == 0, LEASE_MS / 1000 + 10)
        fresh = [self.start_worker(server.address, name="worker-fresh%d" % i) for i in range(2)]
        self.finish(*fresh)
        self.check_complete(server, 2)
        self.stop(server)

    def test_worker_that_nobody_listens_to(self):
        """What it logs goes into a pipe without a reader."""
        server = self.start_server("--workers", 1, "--algorithm", "asgd", "--epochs", EPOCHS, "--batch-size", BATCH)
        self.train_fast()
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([os.path.join(cluster.BIN, "dcps-worker"), "--servers", server.address, *self.model], stdout=subprocess.PIPE, stderr=write,
                              timeout=120 * cluster.PATIENCE)
        os.close(write)
        self.assertEqual(done.returncode, 0)
        self.wait_all_samples(server.address, EPOCHS * EPOCH_SAMPLES)
        self.stop(server)

    def test_terminate_server_drains(self):
        folder = os.path.join(self.folder, "checkpoints")
        server, workers = self.start_training("asgd", 2, "--checkpoint-dir", folder)
        self.wait_samples(server.address, SOME)
        server.signal(signal.SIGTERM)
        self.wait_exit(server, 15)
        for worker in workers:
            self.wait_exit(worker, 15)
        self.assertTrue(os.path.exists(os.path.join(folder, "dcps-0-of-1.safetensors")))

    def test_server_that_stands_still_while_it_stops(self):
        """Workers could say no goodbye meanwhile: it waits for them all the same."""
        server, workers = self.start_training("asgd", 2)
        self.wait_samples(server.address, SOME)
        for worker in workers:
            worker.signal(signal.SIGSTOP)
        server.signal(signal.SIGTERM)
        self.wait_text(server, "stopping; waiting at most", 10)
        server.signal(signal.SIGSTOP)
        for worker in workers:
            worker.signal(signal.SIGCONT)
        time.sleep(2.2 * LEASE_MS / 1000)
        server.signal(signal.SIGCONT)
        self.wait_exit(server, 15)
        self.assertNotIn("have not said goodbye", server.err)
        self.finish(*workers)


class StartTest(cluster.ClusterTest):
    def test_any_order_of_start(self):
        ports = cluster.free_ports(2)
        servers = ",".join("127.0.0.1:%d" % port for port in ports)
        flags = ["--servers", servers, "--workers", 2, "--algorithm", "ssgd", "--epochs", 1, "--batch-size", 128]
        workers = [self.start_worker(servers) for _ in range(2)]
        self.wait_text(workers[0], r"waiting for server 0 of 2|server 0 does not answer", 15)
        first = self.start_server("--index", 0, *flags, name="server0", bind="127.0.0.1:%d" % ports[0])
        self.wait_text(workers[0], r"waiting for server 1 of 2|server 1 does not answer", 15)
        second = self.start_server("--index", 1, *flags, name="server1", bind="127.0.0.1:%d" % ports[1])
        for worker in workers:
            self.wait_exit(worker, 60)
        self.assertEqual(len(self.wait_all_samples(servers, 60000)), 2)
        self.stop(first)
        self.stop(second)

    def test_different_models_are_refused(self):
        server = self.start_server("--workers", 2, "--epochs", 1)
        good = self.start_worker(server.address)
        self.wait("a model", lambda: self.samples(server.address) > 0, 30)
        other = self.start("worker-other", "dcps-worker", "--servers", server.address, "--model", "mlp", "--model-opt", "hidden=17")
        self.wait_exit(other, 20, code=1)
        self.assertRegex(other.err, r"tensor 0: .*\[784, 17\].*\[784, 16\]")
        self.wait_exit(good, 60)
        self.stop(server)

    def test_port_in_use_names_the_holder(self):
        server = self.start_server("--workers", 1)
        second = self.start("server2", "dcps-server", "--bind", server.address)
        self.wait_exit(second, 10, code=1)
        self.assertIn(server.address, second.err)
        self.assertRegex(second.err, r"in use.*process %d" % server.process.pid)

    def test_nobody_there(self):
        port = cluster.free_ports(1)[0]
        worker = self.start_worker("127.0.0.1:%d" % port, "--timeout", "2")
        self.wait_exit(worker, 15, code=75)
        self.assertRegex(worker.err, r"127\.0\.0\.1:%d" % port)


if __name__ == "__main__":
    cluster.main()
