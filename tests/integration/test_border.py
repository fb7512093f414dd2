"""Where training with late gradients stops converging: the experiment of docs/results/stability-border, on a few workers, against closed forms."""
import os
import sys
import unittest

SOURCE = os.environ.get("DCPS_SOURCE_DIR", ".")
BIN = os.environ.get("DCPS_BIN", "build/dev/bin")
sys.path.insert(0, os.path.join(SOURCE, "docs", "results", "stability-border"))
sys.dont_write_bytecode = True
import border  # noqa: E402

DCPS = os.path.join(BIN, "dcps")
ASGD = ["--algorithm", "asgd"]


class BorderTest(unittest.TestCase):
    def test_asgd(self):
        for workers in (1, 2, 4, 8):
            known = border.closed_form(workers)
            measured = border.measure(DCPS, workers, ASGD, known, 0.005)
            self.assertAlmostEqual(measured / known, 1, delta=0.02, msg="%d workers" % workers)

    def test_momentum(self):
        """Heavy ball without delay is stable up to 2 (1 + mu) (Polyak 1964); with one, the characteristic equation says."""
        self.assertAlmostEqual(border.calculated(border.momentum, 1), 2 * (1 + 0.9))
        flags = [*ASGD, "--optimizer", "momentum", "--momentum", "0.9"]
        known = border.calculated(border.momentum, 4)
        self.assertAlmostEqual(border.measure(DCPS, 4, flags, known, 0.005) / known, 1, delta=0.02)

    def test_equations(self):
        """The equation of plain descent has the closed form as its solution; DANA with one worker is Nesterov's momentum."""
        for workers in (1, 2, 7, 64):
            self.assertAlmostEqual(border.calculated(border.plain, workers), border.closed_form(workers))
        self.assertAlmostEqual(border.calculated(border.dana, 1), 2 * 1.9 / 2.8)
        self.assertAlmostEqual(border.calculated(border.nesterov, 1), 2 * 1.9 / 2.8)

    def test_correction_bounds_what_diverges(self):
        """A step that is a tenth too large: plain ASGD leaves for infinity, delay compensation keeps the weights where λ·g² is about the curvature, but does not make them converge."""
        step = 1.1 * border.closed_form(8)
        self.assertGreater(max(border.run(DCPS, 8, ASGD, step)), 1e6)
        corrected = border.run(DCPS, 8, ["--algorithm", "dc-asgd-c", "--lambda", "1"], step)
        self.assertTrue(border.stays_bounded(corrected))
        self.assertFalse(border.converges(corrected))

    def test_failure_is_told(self):
        with self.assertRaisesRegex(RuntimeError, "magic"):
            border.run(DCPS, 2, ["--algorithm", "magic"], 0.1)
        with self.assertRaises(OSError):
            border.run(os.path.join(BIN, "no-such-program"), 2, ASGD, 0.1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
