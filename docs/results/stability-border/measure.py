#!/usr/bin/env python3
"""Measures borders of stability and writes them down: borders.json, border.svg, and the tables of README.md. Usage: measure.py DCPS"""
import json
import math
import os
import sys

import border

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
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


class Panel:
    """Axes of which both are logarithmic, to the base 2."""

    def __init__(self, left, title, lowest, highest):
        self.left, self.lowest, self.highest = left, lowest, highest
        self.parts = ['<text x="%d" y="18" font-weight="bold">%s</text>' % (left, title),
                      '<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>' % (left, TOP, WIDTH, HEIGHT)]
        for power in range(0, 7):
            self.text(self.x(2 ** power), TOP + HEIGHT + 16, "%d" % 2 ** power, "middle")
        for power in range(round(lowest), round(highest) + 1):
            y = self.y(2 ** power)
            self.text(left - 6, y + 4, ("%g" % 2 ** power) if power >= 0 else "1/%d" % 2 ** -power, "end")
            self.parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>' % (left, left + WIDTH, y, y))
        self.text(left + WIDTH / 2, TOP + HEIGHT + 34, "workers", "middle")

    def x(self, workers):
        return self.left + 20 + (WIDTH - 40) * math.log2(workers) / 6

    def y(self, value):
        share = (math.log2(value) - self.lowest) / (self.highest - self.lowest)
        return TOP + HEIGHT * (1 - min(max(share, 0), 1))

    def text(self, x, y, text, anchor="start", colour="#333"):
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>' % (x, y, anchor, colour, text))

    def line(self, points, colour, dashed=False):
        self.parts.append('<polyline fill="none" stroke="%s" stroke-width="1.5"%s points="%s"/>' % (
            colour, ' stroke-dasharray="4 3"' if dashed else "", " ".join("%.1f,%.1f" % (self.x(m), self.y(v)) for m, v in points)))

    def dots(self, points, colour):
        for workers, value in points:
            self.parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (self.x(workers), self.y(value), colour))


def draw_asgd(rows):
    panel = Panel(50, "asgd: η·h at the border", -6, 2)
    panel.line([(2 ** (k / 10), border.closed_form(2 ** (k / 10))) for k in range(61)], "#999")
    panel.dots([(row["workers"], row["border"]) for row in rows], COLOURS[0])
    panel.text(panel.left + 150, TOP + 30, "line: 2·sin(π/(2(2τ+1)))")
    panel.text(panel.left + 150, TOP + 46, "dots: measured")
    return panel.parts


def draw_rules(rules):
    panel = Panel(460, "other rules: border, as multiple of asgd's", -4, 7)
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
    return panel.parts


def write_figure(document):
    parts = draw_asgd(document["asgd"]) + draw_rules(document["rules"])
    with open(os.path.join(HERE, "border.svg"), "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 380" font-family="sans-serif" font-size="12">\n'
                   '<rect width="960" height="380" fill="#fff"/>\n%s\n</svg>\n' % "\n".join(parts))


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
