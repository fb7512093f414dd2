"""dcps sim --no-gradients: times as arithmetic has them. One thread does it all, so that nothing here is for sanitizers."""
import time

import cluster
import simulation


class SimTimesTest(simulation.SimulationTest):
    def timing(self, *arguments):
        return self.run_of("--no-gradients", "--epochs", "1", "--batch-size", "10", *arguments)

    def test_round_waits_for_the_slowest(self):
        """E[max of 4 exponentials of mean 1] = 1 + 1/2 + 1/3 + 1/4."""
        run = self.timing("--algorithm", "ssgd", "--workers", "4", "--params", "1000", "--samples", "40000", "--step-time", "exponential:100ms")
        self.assertEqual(run["updates"], 1000)
        self.assertAlmostEqual(run["seconds"] / 1000, 0.1 * (1 + 1 / 2 + 1 / 3 + 1 / 4), delta=0.012)

    def test_time_of_a_step(self):
        """One worker, one block: computing, the gradient's way, the update, and the way of the weights, one after another."""
        run = self.timing("--algorithm", "asgd", "--workers", "1", "--shards", "1", "--params", "250000", "--block-params", "262144", "--samples", "1000",
                          "--step-time", "constant:10ms", "--latency", "500", "--bandwidth", "800", "--update-rate", "50e6")
        step = 0.010 + 2 * (0.0005 + 1e6 / 100e6) + 250000 / 50e6
        self.assertEqual(run["updates"], 100)
        self.assertNotIn("train_loss", run)  # nothing was computed
        # Training is counted from the first weights to the last update. A header is some tens of bytes, and half a way back more or less is within the limits.
        self.assertAlmostEqual(run["seconds"], 100 * step, delta=0.012)

    def test_link_of_the_server(self):
        """Sixteen workers of 1 MB each share a server's link of 100 MB/s in each direction: 10 ms a push, however short their steps."""
        run = self.timing("--algorithm", "asgd", "--workers", "16", "--shards", "4", "--params", "250000", "--samples", "16000", "--step-time",
                          "constant:5ms", "--bandwidth", "800")
        self.assertAlmostEqual(run["seconds"] / 1600, 0.010, delta=0.0003)

    def test_shared_cores(self):
        alone = self.timing("--algorithm", "asgd", "--workers", "4", "--params", "1000", "--samples", "4000", "--step-time", "constant:100ms")
        shared = self.timing("--algorithm", "asgd", "--workers", "4", "--params", "1000", "--samples", "4000", "--step-time", "constant:100ms",
                             "--cores", "2")
        self.assertAlmostEqual(shared["seconds"] / alone["seconds"], 2.0, delta=0.05)

    def test_updates_share_cores(self):
        """Two workers compute for 10 ms, and an update of theirs takes 10 ms. With a core for each a worker pushes every 20 ms; on one core, all of it takes its turn."""
        arguments = ["--algorithm", "asgd", "--workers", "2", "--shards", "1", "--params", "100000", "--samples", "4000", "--step-time", "constant:10ms",
                     "--update-rate", "10e6"]
        enough = self.timing(*arguments, "--cores", "3")
        self.assertAlmostEqual(enough["seconds"] / 400, 0.010, delta=0.0005)
        self.assertEqual(enough["seconds"], self.timing(*arguments)["seconds"])
        self.assertAlmostEqual(self.timing(*arguments, "--cores", "1")["seconds"] / 400, 0.020, delta=0.0005)

    def test_updates_take_their_turn(self):
        """Eight workers compute for 5 ms; the one shard needs 10 ms for each of their gradients, and twice as many shards half of that."""
        arguments = ["--algorithm", "asgd", "--workers", "8", "--params", "100000", "--samples", "8000", "--step-time", "constant:5ms", "--update-rate", "10e6",
                     "--block-params", "10000"]
        for shards in (1, 2):
            run = self.timing(*arguments, "--shards", str(shards))
            self.assertAlmostEqual(run["seconds"] / 800, 0.010 / shards, delta=0.0003)

    def test_stops(self):
        """A worker that stops for 1 s after 3 s on average computes three quarters of the time."""
        arguments = ["--algorithm", "asgd", "--workers", "8", "--params", "1000", "--samples", "160000", "--step-time", "constant:100ms",
                     "--lease-ms", "60000"]
        without = self.timing(*arguments)
        stops = self.timing(*arguments, "--stops", "3s:1s")
        self.assertAlmostEqual(without["seconds"] / stops["seconds"], 0.75, delta=0.04)

    def test_large_cluster(self):
        began = time.monotonic()
        run = self.timing("--algorithm", "asgd", "--workers", "1024", "--shards", "64", "--params", "1000000", "--samples", "51200", "--step-time",
                          "gamma:1s")
        self.assertGreater(run["staleness"]["mean"], 800)
        print("1,024 workers and 64 shards, 5 steps: %.1f s" % (time.monotonic() - began))


if __name__ == "__main__":
    cluster.main()
