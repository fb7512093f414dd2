#!/usr/bin/env python3
"""Measures borders of stability and writes them down: borders.json, border.svg, and the tables of README.md. Usage: measure.py DCPS"""
import json
import os
import sys

import border

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import figure  # noqa: E402
import readme  # noqa: E402

ASGD_WORKERS = [1, 2, 3, 4, 5, 8, 16, 32, 64]
RULE_WORKERS = [2, 4, 8, 16, 32, 64]

LONG = 4  # as many times as long are the runs of rules whose corrections fade with the weights: these settle slowly near the border

# Name, flags, and the characteristic equation where there is one.
RULES = [
    ("asgd, momentum 0.9", ["--algorithm", "asgd", "--optimizer", "momentum", "--momentum", "0.9"], border.momentum),
    ("asgd, nesterov 0.9", ["--algorithm", "asgd", "--optimizer", "nesterov", "--momentum", "0.9"], border.nesterov),
    ("dana-zero", ["--algorithm", "dana-zero"], border.dana),
    ("sa-asgd", ["--algorithm", "sa-asgd"], lambda z, late: max(late, 1) * border.plain(z, late)),
    ("ormo", ["--algorithm", "ormo"], None),
    ("gap-aware", ["--algorithm", "gap-aware"], None),
]
CORRECTIONS = [
    ("dc-asgd-c, λ 0.04", ["--algorithm", "dc-asgd-c", "--lambda", "0.04"]),
    ("dc-asgd-c, λ 1", ["--algorithm", "dc-asgd-c", "--lambda", "1"]),
    ("dc-asgd-c, λ 4", ["--algorithm", "dc-asgd-c", "--lambda", "4"]),
    ("dc-asgd-a, λ 0.5", ["--algorithm", "dc-asgd-a", "--lambda", "0.5"]),
    ("dc-asgd-a, λ 2", ["--algorithm", "dc-asgd-a", "--lambda", "2"]),
    ("dc-asgd-b", ["--algorithm", "dc-asgd-b"]),
    ("dana-dc", ["--algorithm", "dana-dc"]),
]

# With noise: the loss that is left, at steps that are these multiples of asgd's border.
NOISE_WORKERS = 8
NOISE_STEPS = [0.25, 0.5, 0.8, 0.95, 1.1, 1.4, 2]
NOISE_DIMS = 64  # equal weights, of which the mean is taken
NOISE_FLAGS = ["--model-opt", "noise=1", "--model-opt", "curvatures=1,1", "--model-opt", "dims=%d" % NOISE_DIMS]
NOISE_RULES = [
    ("sgd, one worker", 1, ["--algorithm", "sgd"]),
    ("asgd", NOISE_WORKERS, ["--algorithm", "asgd"]),
    ("sa-asgd", NOISE_WORKERS, ["--algorithm", "sa-asgd"]),
    ("gap-aware", NOISE_WORKERS, ["--algorithm", "gap-aware"]),
    ("dc-asgd-c, λ 0.04", NOISE_WORKERS, ["--algorithm", "dc-asgd-c", "--lambda", "0.04"]),
    ("dc-asgd-c, λ 0.3", NOISE_WORKERS, ["--algorithm", "dc-asgd-c", "--lambda", "0.3"]),
    ("dc-asgd-c, λ 1", NOISE_WORKERS, ["--algorithm", "dc-asgd-c", "--lambda", "1"]),
    ("dc-asgd-c, λ 2", NOISE_WORKERS, ["--algorithm", "dc-asgd-c", "--lambda", "2"]),
    ("dc-asgd-a, λ 0.5", NOISE_WORKERS, ["--algorithm", "dc-asgd-a", "--lambda", "0.5"]),
    ("dc-asgd-a, λ 1", NOISE_WORKERS, ["--algorithm", "dc-asgd-a", "--lambda", "1"]),
    ("dc-asgd-a, λ 2", NOISE_WORKERS, ["--algorithm", "dc-asgd-a", "--lambda", "2"]),
    ("dc-asgd-b", NOISE_WORKERS, ["--algorithm", "dc-asgd-b"]),
]


def tell(text):
    print(text, file=sys.stderr, flush=True)


def measure_asgd(dcps):
    rows = []
    for workers in ASGD_WORKERS:
        step = border.measure(dcps, workers, ["--algorithm", "asgd"], border.closed_form(workers), 2e-4)
        rows.append({"workers": workers, "border": step, "closed_form": border.closed_form(workers)})
        tell("asgd@%d: %.5f, closed form %.5f" % (workers, step, border.closed_form(workers)))
    return rows


def measure_rule(dcps, name, flags, equation):
    rows = []
    for workers in RULE_WORKERS:
        calculated = border.calculated(equation, workers) if equation else None
        step = border.measure(dcps, workers, flags, calculated or border.closed_form(workers), 1e-3)
        rows.append({"workers": workers, "border": step, "calculated": calculated})
        tell("%s@%d: %.5f" % (name, workers, step))
    return {"rule": name, "flags": flags, "borders": rows}


def measure_correction(dcps, name, flags):
    rows = []
    for workers in RULE_WORKERS:
        step = border.measure(dcps, workers, flags, border.closed_form(workers), 2e-3, border.halves, LONG)
        bounded = border.measure(dcps, workers, flags, step, 5e-3, border.stays_bounded)
        rows.append({"workers": workers, "border": step, "bounded": bounded})
        tell("%s@%d: %.5f, bounded %.5f" % (name, workers, step, bounded))
    return {"rule": name, "flags": flags, "borders": rows}


def measure_noise(dcps, name, workers, flags):
    """The mean loss of a weight after the first quarter of a run; None where a weight left for infinity."""
    left = []
    for multiple in NOISE_STEPS:
        losses = border.run(dcps, workers, flags + NOISE_FLAGS, multiple * border.closed_form(NOISE_WORKERS), LONG)
        left.append(border.loss_of(losses, 1, 4) / NOISE_DIMS if border.stays_bounded(losses) else None)
    tell("%s with noise: %s" % (name, left))
    return {"rule": name, "flags": flags, "workers": workers, "loss": left}


# ---- what is written ----

def asgd_table(rows):
    return readme.table(["workers", "delay", "measured η·h", "2·sin(π/(2(2τ+1)))", "difference"],
                        [["%d" % row["workers"], "%d" % (row["workers"] - 1), "%.5f" % row["border"], "%.5f" % row["closed_form"],
                          "%+.3f %%" % (100 * (row["border"] / row["closed_form"] - 1))] for row in rows])


def cell(row):
    share = border.closed_form(row["workers"])
    if row.get("calculated") is not None:
        return "%.3f (%.3f)" % (row["border"] / share, row["calculated"] / share)
    if row.get("bounded", 0) > 1.02 * row["border"]:
        return "%.2f … %.2f" % (row["border"] / share, row["bounded"] / share)
    return "%.2f" % (row["border"] / share)


def rule_table(rules):
    return readme.table(["rule"] + ["M = %d" % workers for workers in RULE_WORKERS], [[rule["rule"]] + [cell(row) for row in rule["borders"]] for rule in rules])


def noise_table(noise):
    steps = [multiple * border.closed_form(NOISE_WORKERS) for multiple in NOISE_STEPS]
    known = ["serial, known: η/(2(2 − η))"] + ["%.4f" % (step / (2 * (2 - step))) for step in steps]
    measured = [[row["rule"]] + ["–" if loss is None else "%.4f" % loss for loss in row["loss"]] for row in noise]
    return readme.table(["rule"] + ["%g" % multiple for multiple in NOISE_STEPS], [known, *measured])


# ---- the figure ----

COLOURS = ["#1f77b4", "#9467bd", "#2ca02c", "#ff7f0e", "#8c564b", "#d62728", "#17becf", "#7f7f7f"]
DRAWN = ["sa-asgd", "gap-aware", "dc-asgd-b", "dc-asgd-c, λ 1", "dc-asgd-a, λ 2", "dana-zero", "dana-dc", "asgd, momentum 0.9"]
TOP, HEIGHT, WIDTH = 30, 300, 340
DRAWN_WORKERS = [2 ** power for power in range(7)]


def ticks(panel):
    for power in range(round(panel.lowest), round(panel.highest) + 1):
        panel.tick(2 ** power, "%g" % 2 ** power if power >= 0 else "1/%d" % 2 ** -power)


def draw_asgd(rows):
    panel = figure.LogPanel((50, TOP, WIDTH, HEIGHT), "asgd: η·h at the border", DRAWN_WORKERS, (-6, 2))
    ticks(panel)
    panel.line([(2 ** (k / 10), border.closed_form(2 ** (k / 10))) for k in range(61)], "#999")
    panel.dots([(row["workers"], row["border"]) for row in rows], COLOURS[0])
    panel.text(panel.left + 150, TOP + 30, "line: 2·sin(π/(2(2τ+1)))")
    panel.text(panel.left + 150, TOP + 46, "dots: measured")
    return panel


def draw_rules(rules):
    panel = figure.LogPanel((460, TOP, WIDTH, HEIGHT), "other rules: border, as multiple of asgd's", DRAWN_WORKERS, (-4, 7))
    ticks(panel)
    for rule in rules:
        if rule["rule"] not in DRAWN:
            continue
        place = DRAWN.index(rule["rule"])
        colour = COLOURS[place]
        points = [(row["workers"], row["border"] / border.closed_form(row["workers"])) for row in rule["borders"]]
        panel.line(points, colour)
        panel.dots(points, colour)
        if "bounded" in rule["borders"][0]:
            panel.line([(row["workers"], row["bounded"] / border.closed_form(row["workers"])) for row in rule["borders"]], colour, True)
        panel.text(panel.left + WIDTH + 12, TOP + 14 + 18 * place, rule["rule"], colour=colour)
    panel.text(panel.left + WIDTH + 12, TOP + 40 + 18 * len(DRAWN), "dashed: up to where")
    panel.text(panel.left + WIDTH + 12, TOP + 54 + 18 * len(DRAWN), "it stays bounded")
    return panel


def write_figure(document):
    figure.write(os.path.join(HERE, "border.svg"), (960, 380), [draw_asgd(document["asgd"]), draw_rules(document["rules"])])


def main():
    dcps = sys.argv[1]
    document = {"asgd": measure_asgd(dcps), "rules": [measure_rule(dcps, *rule) for rule in RULES] + [measure_correction(dcps, *rule) for rule in CORRECTIONS],
                "noise": [measure_noise(dcps, *rule) for rule in NOISE_RULES]}
    with open(os.path.join(HERE, "borders.json"), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")
    write_figure(document)
    page = os.path.join(HERE, "README.md")
    readme.put(page, "asgd", asgd_table(document["asgd"]))
    readme.put(page, "rules", rule_table(document["rules"]))
    readme.put(page, "noise", noise_table(document["noise"]))


if __name__ == "__main__":
    main()
