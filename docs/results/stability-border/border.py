"""The largest step at which training on a quadratic still converges, measured with dcps sim and calculated.

Everything is in units of step·curvature, as the model's curvature is 1. A rule is the flags that make it; workers of equal, constant speed push in turn, so that every gradient is
exactly `workers - 1` updates late.
"""
import cmath
import json
import math
import os
import subprocess

EPOCHS = 128  # evaluations of a run


def part_of_run(workers, length):
    """Updates from one evaluation to the next: 300 times the delay over the run, and as many times that as `length` says. At the border the loss swings with a period of 2·delay + 1
    updates; it is looked at 0.382 of a period later each time, so at all phases."""
    period = 2 * workers - 1
    return round(period * (length * max(2, math.ceil(32 / period)) + 0.382))


def run(dcps, workers, rule, step, length=1):
    """The loss after each of EPOCHS equal parts of a run, from ½ at the start; it ends where numbers end."""
    samples = part_of_run(workers, length)
    arguments = [dcps, "sim", "--model", "quadratic", "--model-opt", "samples=%d" % samples, "--epochs", str(EPOCHS), "--batch-size", "1", "--workers", str(workers),
                 "--step-time", "constant:100ms", "--threads", "1", "--shards", "1", "--learning-rate", repr(step), "--json", *rule]
    clean = {name: value for name, value in os.environ.items() if name == "DCPS_MODELS" or not name.startswith("DCPS_")}
    done = subprocess.run(arguments, capture_output=True, text=True, env=clean)
    if done.returncode != 0:
        raise RuntimeError("%s\n%s" % (" ".join(arguments), done.stderr))
    result = json.loads(done.stdout.splitlines()[-1])["run"]
    losses = []
    for point in result["curve"]:
        loss = point.get("metrics", {}).get("test_loss")
        if loss is None or not math.isfinite(loss):
            break
        losses.append(loss)
    if len(losses) == EPOCHS and result["staleness"]["max"] != workers - 1:
        raise RuntimeError("expected a delay of %d, seen %s" % (workers - 1, result["staleness"]))
    return losses


def loss_of(losses, first, last):
    """Mean over the quarters first … last − 1 of a run."""
    part = losses[first * EPOCHS // 4:last * EPOCHS // 4]
    return sum(part) / len(part)


def converges(losses, share=0.9):
    """Whether the mean loss of the last quarter is below that share of the second quarter's, or at what float32 leaves of it."""
    if len(losses) < EPOCHS:
        return False
    late = loss_of(losses, 3, 4)
    return late < 1e-12 or late < share * loss_of(losses, 1, 2)


def halves(losses):
    """The same for rules with which the loss may go on swinging, not at one size: a tenth less would say nothing."""
    return converges(losses, 0.5)


def stays_bounded(losses):
    return len(losses) == EPOCHS and max(losses) < 1e6


def find(good, guess, tolerance):
    """The largest step that is good, by bisection from a guess. Everything below a step that is good is taken to be good, too."""
    low, high = guess / 1.25, guess * 1.25
    while not good(low):
        low, high = low / 1.5, low
    while good(high):
        low, high = high, high * 1.5
    while high > low * (1 + tolerance):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if good(middle) else (low, middle)
    return math.sqrt(low * high)


def measure(dcps, workers, rule, guess, tolerance, good=converges, length=1):
    return find(lambda step: good(run(dcps, workers, rule, step, length)), guess, tolerance)


def closed_form(workers):
    """Of a delay of `workers` − 1 without momentum."""
    return 2 * math.sin(math.pi / (2 * (2 * workers - 1)))


# What is linear in the weights has a characteristic equation step·curvature = f(z); a root leaves the unit circle at the border. z⁻¹ is the delay by one update, and `late` = workers − 1.

def plain(z, late):
    return (1 - z) * z ** late


def momentum(z, late, mu=0.9):
    return (1 - z) * (z - mu) * z ** (late - 1)


def nesterov(z, late, mu=0.9):
    return (1 - z) * (z - mu) * z ** late / ((1 + mu) * z - mu)


def dana(z, late, mu=0.9):
    """v = mu·z^−M v + g, w·(z − 1) = −η·v, and g = h·(z^−late w − η·mu·z^−M Σ v), where Σ v = v·(1 − z^−M)/(1 − z^−1)."""
    m = z ** -(late + 1)
    return (1 - mu * m) * (1 - z) * z ** late / (1 + mu * (1 - m))


def calculated(f, workers):
    """The smallest step at which a root of f lies on the unit circle: f(exp(iθ)) is real and positive."""
    late = workers - 1

    def at(angle):
        return f(cmath.exp(1j * angle), late)

    points = 400 * workers
    angles = [math.pi * (k + 0.5) / points for k in range(points)] + [math.pi * (1 + 0.5 / points)]
    borders = []
    for below, above in zip(angles, angles[1:]):
        if at(below).imag * at(above).imag > 0:
            continue
        for _ in range(60):
            middle = (below + above) / 2
            below, above = (below, middle) if at(below).imag * at(middle).imag <= 0 else (middle, above)
        if at(below).real > 0:
            borders.append(at(below).real)
    return min(borders)
