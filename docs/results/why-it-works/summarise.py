#!/usr/bin/env python3
"""Tables of README.md from the folders that run.sh wrote: sums over the probes of a phase, and what follows from them; the sums themselves go into sums.csv beside those folders."""
import collections
import csv
import json
import math
import os
import statistics
import sys

PHASES = (("early", 0.0, 2.0), ("middle", 2.0, 8.0), ("late", 8.0, 10.0), ("last", 10.0, 99.0))
ADDED = ("params", "active", "against", "bounded", "flipped", "gradient_square", "drift_square", "change_square", "product_square", "gradient_drift",
         "gradient_change", "gradient_product", "change_product", "correction_square", "correction_gradient", "correction_change", "correction_product",
         "bounded_square")
PRODUCT_RULES = (("dc-c 0.04", "dc-c:lambda=0.04"), ("dc-c 128", "dc-c:lambda=128"), ("dc-a 2", "dc-a:lambda=2"), ("dc-b 128", "dc-b:lambda=128"), ("dc-i 4", "dc-i:lambda=4"))
BOUNDED = "dc-b:lambda=128"


def phase_of(epoch):
    return next(name for name, first, end in PHASES if first <= epoch < end)


def ratio(above, below):
    return above / below if below > 0 else math.nan


class Sums(collections.Counter):
    """Sums over probes, and the share of each."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def add(self, row):
        self.update(row)
        self["probes"] += 1
        if row["correction_square"] > 0:
            self["relative_change"] += math.sqrt(row["gradient_square"] / row["correction_square"]) * row["correction_change"]
            self["own_best"] += row["correction_change"] ** 2 / row["correction_square"]
        if row["change_square"] > 0:
            self.shares.append((2 * row["correction_change"] - row["correction_square"]) / row["change_square"])


def in_order(found):
    return {phase: found[phase] for phase, _, _ in PHASES if phase in found}


def read_sums(path, key="candidate", only=None):
    """{phase: {candidate, or what else `key` names: sums}}, of one candidate only if it is named."""
    phases = collections.defaultdict(lambda: collections.defaultdict(Sums))
    with open(path, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            row = {name: float(line[name]) for name in ADDED}
            if all(math.isfinite(value) for value in row.values()) and only in (None, line["candidate"]):
                phases[phase_of(float(line["epoch"]))][line[key]].add(row)
    return in_order(phases)


def write_sums(path, runs):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run", "phase", "candidate", "probes", *ADDED, "relative_change", "own_best"))
        for name, phases, _ in runs:
            for phase, candidates in phases.items():
                for candidate, sums in candidates.items():
                    writer.writerow((name, phase, candidate, sums["probes"], *("%.7g" % sums[column] for column in (*ADDED, "relative_change", "own_best"))))


def print_phase(name, candidates):
    any_sums = next(iter(candidates.values()))
    change, product = any_sums["change_square"], any_sums["product_square"]
    both = any_sums["change_product"]
    drift_cosine = ratio(any_sums["gradient_drift"], math.sqrt(any_sums["gradient_square"] * any_sums["drift_square"]))
    print("\n### %s: %d probes\n" % (name, any_sums["probes"]))
    print("‖Δ‖/‖g‖ %.3f, cos(g, Δ) %.3f, cos(g, δ) %.3f, of those with a gradient, parameters with g·δ < 0: %.0f %%. The Hessian-vector product: cosine with Δ %.3f, share %.3f, at its best scale %.3f.\n" % (
        math.sqrt(ratio(change, any_sums["gradient_square"])), ratio(any_sums["gradient_change"], math.sqrt(change * any_sums["gradient_square"])),
        drift_cosine, 100 * ratio(any_sums["against"], any_sums["active"]), ratio(both, math.sqrt(change * product)), ratio(2 * both - product, change),
        ratio(both ** 2, change * product)))
    print("| candidate | cosine with Δ | share of Δ | best scale | share at it | median share | cosine with Hδ | share of Hδ | bound acts, of parameters with a gradient | … of ‖g‖² | sign flips |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for candidate, sums in candidates.items():
        square, with_change, with_product = sums["correction_square"], sums["correction_change"], sums["correction_product"]
        print("| %s | %.3f | %.3f | %.3g | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |" % (
            candidate, ratio(with_change, math.sqrt(max(square, 0) * change)), ratio(2 * with_change - square, change), ratio(with_change, square),
            ratio(with_change ** 2, square * change), statistics.median(sums.shares), ratio(with_product, math.sqrt(max(square, 0) * product)),
            ratio(2 * with_product - square, product), ratio(sums["bounded"], sums["active"]), ratio(sums["bounded_square"], sums["gradient_square"]),
            ratio(sums["flipped"], sums["active"])))


def best_share(sums):
    return ratio(sums["correction_change"] ** 2, sums["correction_square"] * sums["change_square"])


def share(sums):
    return ratio(2 * sums["correction_change"] - sums["correction_square"], sums["change_square"])


def percent(value):
    """A share that is far below zero says no more than that."""
    return "–" if math.isnan(value) else "< −99" if value < -0.995 else ("%.0f" % (100 * value)).replace("-", "−")


def print_curvature(runs):
    print("\n## What curvature could give\n")
    print("Shares of Δ in percent; at the best scale unless said.\n")
    print("| run | phase | ‖Δ‖/‖g‖ | Hδ | diag(H)⊙δ as it is | … at its best | samples' squares⊙δ | g⊙g⊙δ | samples' outer products·δ | κ·δ | κ |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, phases, _ in runs:
        for phase, candidates in phases.items():
            of = candidates["drift"]
            print("| %s | %s | %.3f | %s | %s | %s | %s | %s | %s | %s | %.2g |" % (
                name, phase, math.sqrt(ratio(of["change_square"], of["gradient_square"])),
                percent(ratio(of["change_product"] ** 2, of["change_square"] * of["product_square"])), percent(share(candidates["hessian-diagonal"])),
                percent(best_share(candidates["hessian-diagonal"])), percent(best_share(candidates["sample-squares"])),
                percent(best_share(candidates["square"])), percent(best_share(candidates["sample-outer"])), percent(best_share(of)),
                ratio(of["correction_change"], of["correction_square"])))


def print_adapted(runs):
    print("\n## Should λ follow the drift?\n")
    print("Shares of Δ in percent that λ·δ recovers: with the best λ for the phase; with λ = a·‖g‖/‖δ‖, which makes the correction a times as long as the gradient, and the best a; with the best λ, of either sign, for each probe.\n")
    print("| run | phase | one λ | λ | a·‖g‖/‖δ‖ | a | λ of each probe |")
    print("|---|---|---|---|---|---|---|")
    for name, phases, _ in runs:
        for phase, candidates in phases.items():
            of = candidates["drift"]
            print("| %s | %s | %s | %.2g | %s | %.2g | %s |" % (
                name, phase, percent(best_share(of)), ratio(of["correction_change"], of["correction_square"]),
                percent(ratio(of["relative_change"] ** 2, of["gradient_square"] * of["change_square"])), ratio(of["relative_change"], of["gradient_square"]),
                percent(ratio(of["own_best"], of["change_square"]))))


def print_rules(runs):
    print("\n## What rules do\n")
    print("Shares of Δ in percent, as the rules are; `scale` and `sign` at their best.\n")
    print("| run | phase | cos(g, Δ) | scale | sign | dc-c 0.04 | dc-a 2 | dc-b 32 | dc-b 128 | its bound acts on, % of parameters | … of ‖g‖² | dc-i 4 | … without bound | gap-aware | dc-b 512, gap-aware |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, phases, _ in runs:
        for phase, candidates in phases.items():
            of = candidates["scale"]
            bounded = candidates["dc-b:lambda=128"]
            cosine = ratio(of["correction_change"], math.sqrt(of["correction_square"] * of["change_square"]))
            print("| %s | %s | %.2f | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |" % (
                name, phase, cosine, percent(best_share(of)), percent(best_share(candidates["sign"])), percent(share(candidates["dc-c:lambda=0.04"])),
                percent(share(candidates["dc-a:lambda=2"])), percent(share(candidates["dc-b:lambda=32"])), percent(share(bounded)),
                percent(ratio(bounded["bounded"], bounded["active"])), percent(ratio(bounded["bounded_square"], bounded["gradient_square"])),
                percent(share(candidates["dc-i:lambda=4"])), percent(share(candidates["dc-i:lambda=4:correction-bound=1000"])),
                percent(share(candidates["gap-aware"])), percent(share(candidates["dc-b,gap-aware:lambda=512"]))))


def product_share(sums):
    return ratio(2 * sums["correction_product"] - sums["correction_square"], sums["product_square"])


def print_products(runs):
    print("\n## How much of Hδ\n")
    print("Shares in percent of the Hessian-vector product, 1 − ‖c − Hδ‖²/‖Hδ‖², as the rules are; g⊙g⊙δ also at its best scale.\n")
    print("| run | phase | diag(H)⊙δ | samples' squares⊙δ | g⊙g⊙δ | … at its best | %s |" % " | ".join(title for title, _ in PRODUCT_RULES))
    print("|---|---|---|---|---|---|%s" % ("---|" * len(PRODUCT_RULES)))
    for name, phases, _ in runs:
        for phase, candidates in phases.items():
            square = candidates["square"]
            print("| %s | %s | %s | %s | %s | %s | %s |" % (
                name, phase, percent(product_share(candidates["hessian-diagonal"])), percent(product_share(candidates["sample-squares"])), percent(product_share(square)),
                percent(ratio(square["correction_product"] ** 2, square["correction_square"] * square["product_square"])),
                " | ".join(percent(product_share(candidates[rule])) for _, rule in PRODUCT_RULES)))


def print_tensors(runs):
    print("\n## Where the bound acts\n")
    print("`dc-b` with λ = 128 by tensor: parameters that reach the bound, and their part of ‖g‖², percent.\n")
    names = list(dict.fromkeys(tensor for _, _, tensors in runs for of in tensors.values() for tensor in of))
    print("| run | phase | %s |" % " | ".join(names))
    print("|---|---|%s" % ("---|" * len(names)))
    for name, _, tensors in runs:
        for phase, of in tensors.items():
            print("| %s | %s | %s |" % (name, phase, " | ".join(
                "%s, %s" % (percent(ratio(of[tensor]["bounded"], of[tensor]["active"])), percent(ratio(of[tensor]["bounded_square"], of[tensor]["gradient_square"]))) for tensor in names)))


def effect_of(sums, corrected=True):
    """Length of what is applied, g or g + c, over that of g; its cosine with the gradient at the servers' weights, g + Δ."""
    part = 1 if corrected else 0
    square = sums["gradient_square"] + part * (2 * sums["correction_gradient"] + sums["correction_square"])
    now = sums["gradient_square"] + 2 * sums["gradient_change"] + sums["change_square"]
    both = sums["gradient_square"] + sums["gradient_change"] + part * (sums["correction_gradient"] + sums["correction_change"])
    return "%.2f, %.2f" % (math.sqrt(ratio(square, sums["gradient_square"])), ratio(both, math.sqrt(square * now)))


def print_effects(runs):
    rules = ("dc-c:lambda=0.04", "dc-a:lambda=2", "dc-b:lambda=128", "dc-i:lambda=4", "gap-aware", "dc-b,gap-aware:lambda=512")
    print("\n## What becomes of the gradient\n")
    print("Length of what is applied, in lengths of g, and its cosine with the gradient at the servers' weights.\n")
    print("| run | phase | length of that gradient | ASGD | %s |" % " | ".join(rules))
    print("|---|---|---|---|%s" % ("---|" * len(rules)))
    for name, phases, _ in runs:
        for phase, candidates in phases.items():
            of = candidates["drift"]
            now = of["gradient_square"] + 2 * of["gradient_change"] + of["change_square"]
            print("| %s | %s | %.2f | %s | %s |" % (name, phase, math.sqrt(ratio(now, of["gradient_square"])), effect_of(of, False),
                                                   " | ".join(effect_of(candidates[rule]) for rule in rules)))


def errors_of(folder):
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
        curve = json.load(file)["runs"][0]["curve"]
    return [point["metrics"].get("test_error") for point in curve]


def read_runs(top):
    """[(name, {phase: {candidate: sums}}, {phase: {tensor: sums of BOUNDED}})] of the runs that came to an end."""
    runs = []
    for name in sorted(os.listdir(top)):
        folder = os.path.join(top, name)
        if os.path.isfile(os.path.join(folder, "results.json")):
            runs.append((name, read_sums(os.path.join(folder, "probe.csv")), read_sums(os.path.join(folder, "tensors.csv"), "tensor", BOUNDED)))
    return runs


def main():
    top = sys.argv[1]
    runs = read_runs(top)
    write_sums(os.path.join(top, "sums.csv"), runs)
    print_curvature(runs)
    print_adapted(runs)
    print_rules(runs)
    print_products(runs)
    print_tensors(runs)
    print_effects(runs)
    for name, phases, _ in runs:
        print("\n## %s" % name)
        print("\nTest error after each epoch, %%: %s" % ", ".join("–" if error is None else "%.1f" % (100 * error) for error in errors_of(os.path.join(top, name))))
        for phase, candidates in phases.items():
            print_phase(phase, candidates)


if __name__ == "__main__":
    main()
