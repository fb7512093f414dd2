#!/usr/bin/env python3
"""Draws the error of each rule against the number of workers, without and with momentum, into FOLDER/error.svg. See --help."""
import argparse
import json
import math
import os

import figure
import tables

WIDTH, HEIGHT, TOP, LABELS = 300, 420, 40, 220
COLOURS = ["#1f77b4", "#7f7f7f", "#8c564b", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd", "#e377c2", "#17becf", "#bcbd22", "#000000", "#8a6d00", "#004080"]
MOMENTUM = ", momentum 0.9"
ONLY_WITH = ("dana-dc", "ormo")  # they bring a momentum of their own


def lines_of(rows, heavy):
    """{rule: [(workers, mean, standard error)]}, each begun by serial SGD; None instead of both where a seed diverged."""
    serial = [row for row in rows if row["workers"] == 1 and tables.title(row["name"]) == "sgd" + (MOMENTUM if heavy else "")]
    start = [(1, *estimate(serial[0]))] if serial else []
    lines = {}
    for row in rows:
        name = tables.title(row["name"])
        if row["workers"] > 1 and heavy == (name.endswith(MOMENTUM) or name in ONLY_WITH):
            lines.setdefault(name.replace(MOMENTUM, ""), list(start)).append((row["workers"], *(estimate(row) if row["diverged"] == 0 else (None, None))))
    return {name: sorted(points) for name, points in lines.items()}


def estimate(row):
    error = next(value for name, value in row["metrics"].items() if name.endswith("_error"))
    return 100 * error["mean"], 100 * (error["se"] or 0)


def draw(panel, lines, colours):
    """Lines with their standard errors, interrupted where a seed diverged; beside their ends the names, far enough apart to be read."""
    ends = []
    for name, points in lines.items():
        good = [point for point in points if point[1] is not None]
        panel.line([(workers, error) for workers, error, _ in good], colours[name])
        panel.dots([(workers, error) for workers, error, _ in good], colours[name])
        for workers, error, spread in good:
            panel.bar(workers, error - spread, error + spread, colours[name])
        if good:
            failed = [str(workers) for workers, error, _ in points if error is None]
            last, error, _ = good[-1]
            ends.append((error, name, "%s  %.1f%s%s" % (name, error, "" if last == panel.most else " at %d" % last, ", fails at " + ", ".join(failed) if failed else "")))
    below = TOP
    for error, name, text in sorted(ends, reverse=True):
        y = max(panel.y(error) + 4, below)
        below = y + 14
        panel.text(panel.left + WIDTH + 8, y, text, colour=colours[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--results", metavar="PATH", help="what dcps compare wrote (default: FOLDER/results.json)")
    parser.add_argument("--lowest", type=float, default=9, help="error at the lower edge, percent; what is outside is drawn at the edge")
    parser.add_argument("--highest", type=float, default=20, help="error at the upper edge")
    job = parser.parse_args()
    with open(job.results or os.path.join(job.folder, "results.json"), encoding="utf-8") as file:
        rows = json.load(file)["summary"]
    sizes = sorted({row["workers"] for row in rows})
    names = list(dict.fromkeys([*lines_of(rows, False), *lines_of(rows, True)]))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    panels = []
    for heading, heavy in (("test error, %, without momentum", False), ("test error, %, momentum 0.9", True)):
        left = 40 + len(panels) * (WIDTH + LABELS + 40)
        panel = figure.Panel((left, TOP, WIDTH, HEIGHT), heading, sizes, (job.lowest, job.highest))
        for tick in range(math.ceil(job.lowest), math.floor(job.highest) + 1):
            panel.tick(tick, str(tick))
        draw(panel, lines_of(rows, heavy), colours)
        panels.append(panel)
    figure.write(os.path.join(job.folder, "error.svg"), (40 + 2 * (WIDTH + LABELS + 40), TOP + HEIGHT + 44), panels)


if __name__ == "__main__":
    main()
