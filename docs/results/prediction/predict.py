#!/usr/bin/env python3
"""Real runs on this machine beside their prediction by dcps sim --no-gradients: predict.py --help.

Nothing of the runs with several workers goes into their prediction. What does: the time of a step in real runs with one worker, and what the benchmarks say of steps beside others
and of messages and updates.
"""
import argparse
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DCPS = os.environ.get("DCPS") or os.path.join(HERE, "..", "..", "..", "build", "release", "bin", "dcps")
sys.path.insert(0, os.path.dirname(HERE))
import readme  # noqa: E402

BATCH = 128
SHARDS = 2
LIMIT = 1e4  # largest shape of the gamma distribution: a deviation of a hundredth


def clean_environment():
    return {name: value for name, value in os.environ.items() if name in ("DCPS_MODELS", "DCPS_DATA") or not name.startswith("DCPS_")}


def start(*arguments):
    return subprocess.Popen([DCPS, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=clean_environment())


def output(process):
    text = process.communicate()[0]
    if process.returncode != 0:
        sys.exit("%s: exit code %d" % (" ".join(process.args), process.returncode))
    return text


def real_run(job, algorithm, workers, seed):
    with tempfile.TemporaryDirectory() as folder:
        output(start("run", "--model", job.model, "--model-opt", "samples=%d" % job.samples, "--epochs", job.epochs, "--batch-size", BATCH, "--algorithm",
                     algorithm, "--workers", workers, "--threads", 1, "--shards", SHARDS, "--seed", seed, "--out", folder))
        with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
            run = json.load(file)["runs"][0]
    return {**run, "rate": steady_rate(run)}


def steady_rate(run):
    """Samples a second after the first epoch, in which processes still start and first steps are slow."""
    first, last = run["curve"][0], run["curve"][-1]
    return run["samples"] / run["epochs"] * (last["epoch"] - first["epoch"]) / (last["seconds"] - first["seconds"])


def real_runs(job):
    """(algorithm, workers) → runs. Every kind has its turn in each round, so that whatever else the machine does meets all of them."""
    runs = {}
    for seed in range(1, job.repeats + 1):
        for algorithm in job.algorithms:
            for workers in job.workers:
                run = real_run(job, algorithm, workers, seed)
                runs.setdefault((algorithm, workers), []).append(run)
                print("%s@%d: %.0f samples/s" % (algorithm, workers, run["rate"]), file=sys.stderr)
    return runs


# ---- what a prediction is made from ----

def step_seconds(runs):
    """Of one worker that computes alone: its time less that in which it waited for answers."""
    return statistics.median(BATCH / run["rate"] * (1 - run["per_worker"][0]["wait_share"]) for run in runs)


def bench_steps(job, at_once):
    """Steps without servers, in as many processes at once: the mean of their medians, and the relative deviation from the 99th percentile, 2.33 of them away."""
    processes = [start("bench", "model", "--model", job.model, "--batch-size", BATCH, "--threads", 1, "--steps", job.bench_steps, "--json") for _ in range(at_once)]
    results = [json.loads(output(process)) for process in processes]
    medians = [result["seconds"]["median"] for result in results]
    deviations = [(result["seconds"]["p99"] / result["seconds"]["median"] - 1) / 2.33 for result in results]
    return {"median": statistics.mean(medians), "deviation": statistics.mean(deviations), "params": results[0]["parameters"]}


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def bench_push_pull(job, algorithm, params):
    """Time and processor time of a push-pull of the whole model. The latter is the difference of two runs, in which everything else is the same."""
    spent = []
    for steps in (job.bench_steps, 21 * job.bench_steps):
        before = processor_seconds()
        result = json.loads(output(start("bench", "push-pull", "--params", params, "--shards", SHARDS, "--algorithm", algorithm, "--steps", steps, "--repeats", 1, "--json")))
        spent.append(processor_seconds() - before)
    return {"seconds": result["seconds"]["median"], "processor_seconds": max((spent[1] - spent[0]) / (20 * job.bench_steps), 1e-9)}


def cluster_flags(job, inputs, algorithm, workers):
    """What tells dcps sim of this machine. Processor time of sockets and updates is in the rate of updates, which take it from the same cores; what a push-pull lasts beyond that is latency."""
    busy = inputs["steps"][min(workers, job.cores) - 1]
    mean = inputs["step_seconds"][algorithm] * busy["median"] / inputs["steps"][0]["median"]
    shape = min(max(busy["deviation"], LIMIT ** -0.5) ** -2, LIMIT)
    push_pull = inputs["push_pull"][algorithm]
    rate = inputs["params"] / push_pull["processor_seconds"]
    latency = max(push_pull["seconds"] - push_pull["processor_seconds"] / SHARDS, 0) / 2
    return ["--step-time", "gamma:%.6fms:%.1f" % (1e3 * mean, max(shape, 1)), "--cores", job.cores, "--update-rate", "%.0f" % rate, "--latency", "%.3f" % (1e6 * latency)]


def predicted_runs(job, inputs, algorithm, workers):
    runs = []
    for seed in range(1, job.repeats + 1):
        text = output(start("sim", "--no-gradients", "--params", inputs["params"], "--samples", job.samples, "--epochs", job.epochs, "--batch-size", BATCH, "--algorithm",
                            algorithm, "--workers", workers, "--shards", SHARDS, "--seed", seed, "--json", *cluster_flags(job, inputs, algorithm, workers)))
        run = json.loads(text.splitlines()[-1])["run"]
        runs.append({**run, "rate": run["samples_per_second"]})
    return runs


def measure_inputs(job, real):
    steps = [bench_steps(job, at_once) for at_once in range(1, min(job.cores, max(job.workers)) + 1)]
    params = steps[0]["params"]
    return {"cores": job.cores, "load_before": job.load, "samples": job.samples, "epochs": job.epochs, "repeats": job.repeats, "params": params, "steps": steps,
            "step_seconds": {algorithm: step_seconds(real[algorithm, 1]) for algorithm in job.algorithms},
            "push_pull": {algorithm: bench_push_pull(job, algorithm, params) for algorithm in job.algorithms}}


# ---- what is written ----

def median_of(runs, *path):
    values = runs
    for name in path:
        values = [value[name] for value in values]
    return statistics.median(values)


def staleness_shares(runs):
    """{staleness: share of the gradients of all runs}"""
    counts = collections.Counter()
    for run in runs:
        counts.update(dict(run["staleness"]["histogram"]))
    return {staleness: count / sum(counts.values()) for staleness, count in counts.items()}


def distance(a, b):
    """Total variation: the share of gradients that would have to have another staleness to make one histogram the other."""
    return sum(abs(a.get(staleness, 0) - b.get(staleness, 0)) for staleness in {*a, *b}) / 2


def row(job, inputs, real, algorithm, workers):
    both = real[algorithm, workers], predicted_runs(job, inputs, algorithm, workers)
    rates = [median_of(runs, "rate") for runs in both]
    spread = [run["rate"] for run in both[0]]
    made = {"algorithm": algorithm, "workers": workers, "real": rates[0], "real_least": min(spread), "real_most": max(spread), "predicted": rates[1], "error": rates[1] / rates[0] - 1,
            "staleness_distance": distance(*map(staleness_shares, both))}
    for name in ("mean", "p99"):
        made["staleness_%s_real" % name], made["staleness_%s_predicted" % name] = (median_of(runs, "staleness", name) for runs in both)
    return made


def result_lines(rows):
    return readme.table(["run", "samples/s, real", "least … most", "predicted", "error", "staleness, mean: real, predicted", "p99: real, predicted", "distance of histograms"],
                        [["%s@%d" % (r["algorithm"], r["workers"]), "%.0f" % r["real"], "%.0f … %.0f" % (r["real_least"], r["real_most"]), "%.0f" % r["predicted"],
                          "%+.1f %%" % (100 * r["error"]), "%.2f, %.2f" % (r["staleness_mean_real"], r["staleness_mean_predicted"]),
                          "%.0f, %.0f" % (r["staleness_p99_real"], r["staleness_p99_predicted"]), "%.0f %%" % (100 * r["staleness_distance"])] for r in rows])


def input_lines(inputs):
    push_pulls = [["push-pull, %s: time, processor time" % name, "%.2f ms, %.2f ms" % (1e3 * p["seconds"], 1e3 * p["processor_seconds"])] for name, p in inputs["push_pull"].items()]
    return readme.table(["measured", "value"], [
        ["processors; load before", "%d; %.2f" % (inputs["cores"], inputs["load_before"])],
        ["step in a real run with one worker", ", ".join("%s %.2f ms" % (name, 1e3 * value) for name, value in inputs["step_seconds"].items())],
        *[["step with %d at once, relative deviation" % (k + 1), "%.2f ms, %.1f %%" % (1e3 * s["median"], 100 * s["deviation"])] for k, s in enumerate(inputs["steps"])],
        *push_pulls])


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=HERE, help="folder of README.md, in which the tables are put, and prediction.json")
    parser.add_argument("--model", default="cnn", help="a model with an option `samples`")
    parser.add_argument("--algorithms", default="asgd,ssgd", type=lambda text: text.split(","))
    parser.add_argument("--workers", default="1,2,3,4", type=lambda text: [int(word) for word in text.split(",")], help="1 among them")
    parser.add_argument("--batches", type=int, default=234, help="mini-batches of an epoch; the model has about 60,000 samples")
    parser.add_argument("--epochs", type=int, default=3, help="two at the least: the first is not counted")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind, of which the median counts")
    parser.add_argument("--bench-steps", type=int, default=100)
    job = parser.parse_args()
    if 1 not in job.workers:
        parser.error("--workers needs 1 among them: the time of a step comes from there")
    if job.epochs < 2:
        parser.error("--epochs needs to be 2 or more: the first is not counted")
    job.samples = job.batches * BATCH
    job.cores = len(os.sched_getaffinity(0))
    job.load = os.getloadavg()[0]
    return job


def main():
    job = read_arguments()
    if job.load > 0.3:
        print("something else runs here (load %.2f): figures will be of both" % job.load, file=sys.stderr)
    real = real_runs(job)
    inputs = measure_inputs(job, real)
    rows = [row(job, inputs, real, algorithm, workers) for algorithm in job.algorithms for workers in job.workers]
    with open(os.path.join(job.out, "prediction.json"), "w", encoding="utf-8") as file:
        json.dump({"inputs": inputs, "runs": rows}, file, indent=1)
        file.write("\n")
    page = os.path.join(job.out, "README.md")
    readme.put(page, "inputs", input_lines(inputs))
    readme.put(page, "results", result_lines(rows))


if __name__ == "__main__":
    main()
