#!/usr/bin/env python3
"""Draws the error of each rule against the number of workers, without and with momentum, into FOLDER/error.svg. See --help."""
import argparse
import json
import math
import os

import tables

WIDTH, HEIGHT, TOP, LABELS = 300, 400, 40, 170
COLOURS = ["#1f77b4", "#7f7f7f", "#8c564b", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd", "#e377c2", "#17becf", "#bcbd22", "#000000"]
MOMENTUM = ", momentum 0.9"
ONLY_WITH = ("dana-dc", "ormo")  # they bring a momentum of their own


def lines_of(rows, heavy):
    """{rule: [(workers, mean, standard error)]}, each begun by serial SGD."""
    serial = [row for row in rows if row["workers"] == 1 and tables.title(row["name"]) == "sgd" + (MOMENTUM if heavy else "")]
    start = [(1, *estimate(serial[0]))] if serial else []
    lines = {}
    for row in rows:
        name = tables.title(row["name"])
        if row["workers"] > 1 and heavy == (name.endswith(MOMENTUM) or name in ONLY_WITH) and row["diverged"] == 0:
            lines.setdefault(name.replace(MOMENTUM, ""), list(start)).append((row["workers"], *estimate(row)))
    return {name: sorted(points) for name, points in lines.items()}


def estimate(row):
    error = next(value for name, value in row["metrics"].items() if name.endswith("_error"))
    return 100 * error["mean"], 100 * (error["se"] or 0)


class Panel:
    def __init__(self, left, heading, sizes, lowest, highest):
        self.left, self.sizes, self.lowest, self.highest = left, sizes, lowest, highest
        self.parts = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>' % (left, TOP, WIDTH, HEIGHT)]
        self.text(left, 20, heading, weight="bold")
        for size in sizes:
            self.text(self.x(size), TOP + HEIGHT + 16, str(size), "middle")
        for tick in range(math.ceil(lowest), math.floor(highest) + 1):
            self.parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>' % (left, left + WIDTH, self.y(tick), self.y(tick)))
            self.text(left - 6, self.y(tick) + 4, str(tick), "end")
        self.text(left + WIDTH / 2, TOP + HEIGHT + 34, "workers", "middle")

    def x(self, workers):
        return self.left + 20 + (WIDTH - 40) * math.log2(workers) / math.log2(max(2, self.sizes[-1]))

    def y(self, error):
        return TOP + HEIGHT * (self.highest - max(self.lowest, min(error, self.highest))) / (self.highest - self.lowest)

    def text(self, x, y, text, anchor="start", colour="#333", weight="normal"):
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-weight="%s">%s</text>' % (x, y, anchor, colour, weight, text))

    def line(self, points, colour):
        self.parts.append('<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>' % (colour, " ".join("%.1f,%.1f" % (self.x(m), self.y(e)) for m, e, _ in points)))
        for workers, error, spread in points:
            x = self.x(workers)
            self.parts.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>' % (x, x, self.y(error - spread), self.y(error + spread), colour))
            self.parts.append('<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>' % (x, self.y(error), colour))

    def labels(self, lines, colours):
        """Beside the ends of the lines, far enough apart to be read."""
        below = TOP
        for name, points in sorted(lines.items(), key=lambda item: -item[1][-1][1]):
            y = max(self.y(points[-1][1]) + 4, below)
            below = y + 14
            self.text(self.left + WIDTH + 8, y, "%s  %.1f" % (name, points[-1][1]), colour=colours[name])


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
    parts = []
    for number, heading in enumerate(("test error, %, without momentum", "test error, %, momentum 0.9")):
        panel, lines = Panel(40 + number * (WIDTH + LABELS + 40), heading, sizes, job.lowest, job.highest), lines_of(rows, number == 1)
        for name, points in lines.items():
            panel.line(points, colours[name])
        panel.labels(lines, colours)
        parts += panel.parts
    width = 40 + 2 * (WIDTH + LABELS + 40)
    with open(os.path.join(job.folder, "error.svg"), "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">\n<rect width="%d" height="%d" fill="#fff"/>\n%s\n</svg>\n' % (
            width, TOP + HEIGHT + 44, width, TOP + HEIGHT + 44, "\n".join(parts)))


if __name__ == "__main__":
    main()
