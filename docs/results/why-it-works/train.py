#!/usr/bin/env python3
"""Trains small nets with each rule in virtual time: the learning rate and the seeds 1 and 2 are tried on held-out images; with the best rate, seeds 11 to 15 are measured on the test set.

    train.py mlp-16|mlp-32|cnn-16 …        with the program that DCPS names, or the release build
"""
import json
import math
import os
import statistics
import subprocess
import sys

NETS = {
    "mlp": ["--model", "mlp", "--model-opt", "hidden=32", "--batch-size", "128", "--epochs", "4", "--decay-epochs", "3"],
    "cnn": ["--model", "cnn", "--model-opt", "filters=16", "--model-opt", "hidden=16", "--model-opt", "samples=20000", "--batch-size", "64", "--epochs", "4",
            "--decay-epochs", "3"],
}
RULES = (
    ("serial SGD", ["--algorithm", "sgd"]),
    ("ASGD", ["--algorithm", "asgd"]),
    ("DC-ASGD-a, λ 2", ["--algorithm", "dc-asgd-a"]),
    ("gap-aware", ["--algorithm", "gap-aware"]),
    ("dc-b, λ 128", ["--algorithm", "dc-asgd-b"]),
    ("dc-b, λ 512, then gap-aware", ["--algorithm", "dc-asgd-b", "--compensation", "dc-b,gap-aware", "--lambda", "512"]),
    ("dc-i, λ 4", ["--algorithm", "dc-asgd-i"]),
    ("dc-i, λ 2, without bound", ["--algorithm", "dc-asgd-i", "--lambda", "2", "--correction-bound", "1e6"]),
)
DCPS = os.environ.get("DCPS") or os.path.join(os.path.dirname(__file__), "..", "..", "..", "build", "release", "bin", "dcps")
RATES = ("0.01", "0.02", "0.04", "0.08", "0.16", "0.32", "0.64")


def train(net, workers, rule, rate, seed, split):
    """Error at the end; a run that diverged has none to speak of."""
    command = [DCPS, "sim", *NETS[net], *rule, "--workers", workers, "--learning-rate", rate, "--warmup-epochs", "1", "--decay-factor", "0.1", "--threads", "1",
               "--seed", str(seed), "--json", *(["--split", "validation", "--model-opt", "validation=5000"] if split == "validation" else [])]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    error = json.loads(lines[-1])["run"]["curve"][-1]["metrics"].get(split + "_error")
    return 1.0 if error is None or not math.isfinite(error) else error


def tune(net, workers, rule):
    tried = {rate: statistics.mean(train(net, workers, rule, rate, seed, "validation") for seed in (1, 2)) for rate in RATES}
    return min(tried, key=tried.get), tried


def compare(net, workers):
    print("\n### %s, %s workers\n" % (net, workers))
    print("| rule | η | test error, %% | validation error with each η (%s) |\n|---|---|---|---|" % ", ".join(RATES))
    for name, rule in RULES:
        of = "1" if name == "serial SGD" else workers
        rate, tried = tune(net, of, rule)
        errors = [100 * train(net, of, rule, rate, seed, "test") for seed in range(11, 16)]
        print("| %s | %s | %.2f ± %.2f | %s |" % (name, rate, statistics.mean(errors), statistics.stdev(errors) / math.sqrt(len(errors)),
                                                   ", ".join("%.1f" % (100 * error) for error in tried.values())), flush=True)


def main():
    for name in sys.argv[1:]:
        compare(*name.split("-"))


if __name__ == "__main__":
    main()
