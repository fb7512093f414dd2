#!/usr/bin/env python3
"""Puts the tables of a comparison into FOLDER/README.md: `results`, one table for each number of workers, and of a sweep `trials`. See --help."""
import argparse
import collections
import json
import os

import readme

MINUS = "−"


def number(value, digits):
    return "–" if value is None else ("%.*f" % (digits, value)).replace("-", MINUS)


def percent(estimate):
    """Mean ± standard error, in percent."""
    if not estimate or estimate["mean"] is None:
        return "–"
    return number(100 * estimate["mean"], 2) + ("" if estimate["se"] is None else " ± %.2f" % (100 * estimate["se"]))


def setting(chosen, tried):
    """What was chosen; `*` where it is the first or last of three values or more."""
    if not chosen:
        return ""
    marks = {name: "*" for name in chosen["edge"] if len({trial[name] for trial in tried}) > 2}
    short = {"learning-rate": "η", "lambda": "λ"}
    return ", ".join("%s %s%s" % (short.get(name, name), "%g" % value if isinstance(value, float) else value, marks.get(name, "")) for name, value in chosen["setting"].items())


def gap(row):
    of = row.get("gap_recovered")
    if not of:
        return ""
    if of["state"] in ("no gap", "no clear gap"):
        return of["state"]
    value = number(100 * of["value"], 0) + ("†" if "+optimizer=" in row["name"] else "")
    return value if of["low"] is None or of["high"] is None else "%s (%s … %s)" % (value, number(100 * of["low"], 0), number(100 * of["high"], 0))


def title(name):
    """`asgd+optimizer=momentum+momentum=0.9` → asgd, momentum 0.9"""
    short = name.replace("+optimizer=momentum+momentum=", ", momentum ").replace("asgd+compensation=dc-b,gap-aware", "dc-b then gap-aware")
    return short.replace("+lambda=", ", λ ").replace("+", ", ").replace("=", " ")


def workers_heading(workers):
    return "### One worker" if workers == 1 else "### %d workers" % workers


class Page:
    def __init__(self, document):
        self.split = document["split"]
        self.rows = document["summary"]
        self.trials = document.get("trials", [])

    def error(self, row):
        return row["metrics"].get(self.split + "_error") or {"mean": None, "se": None}

    def sizes(self):
        return sorted({row["workers"] for row in self.rows})

    def results(self):
        tuned = any("chosen" in row for row in self.rows)
        timed = any("seconds_to_target" in row for row in self.rows)
        for workers in self.sizes():
            rows = [row for row in self.rows if row["workers"] == workers]
            rows.sort(key=lambda row: self.error(row)["mean"] if self.error(row)["mean"] is not None and not row["diverged"] else 9)
            yield from ["", workers_heading(workers), ""]
            head = ["rule"] + (["chosen", "validation error, %"] if tuned else []) + [self.split + " error, %", "gap recovered, %"]
            head += (["s to target", "samples/s", "staleness, mean", "p99"] if timed else []) + ["diverged"]
            yield from readme.table(head, [self.result(row, tuned, timed) for row in rows])

    def result(self, row, tuned, timed):
        chosen = row.get("chosen")
        tried = [trial["setting"] for trial in self.trials if (trial["name"], trial["workers"]) == (row["name"], row["workers"])]
        cells = [setting(chosen, tried), percent(chosen and chosen.get("validation"))] if tuned else []
        times = self.times(row) if timed else []
        return [title(row["name"]), *cells, percent(self.error(row)), gap(row), *times, "%d of %d" % (row["diverged"], row["runs"]) if row["diverged"] else ""]

    def times(self, row):
        target = row["seconds_to_target"]
        if target["reached"] == target["of"]:
            seconds = "%.1f%s" % (target["mean"], "" if target["se"] is None else " ± %.1f" % target["se"])
        elif target["reached"] > 0:
            seconds = "%d of %d" % (target["reached"], target["of"])
        else:
            seconds = "–" if target.get("short_of") is None else "> %.1f" % target["short_of"]
        return [seconds, number(row["samples_per_second"]["mean"], 0), number(row["staleness_mean"]["mean"], 2), number(row["staleness_p99"]["mean"], 0)]

    def tried(self):
        """(workers, name) → {setting: error}"""
        found = collections.defaultdict(dict)
        for trial in self.trials:
            key = ", ".join("%g" % value if isinstance(value, float) else str(value) for value in trial["setting"].values())
            metrics = trial.get("metrics") or {}
            found[trial["workers"], trial["name"]][key] = None if trial["diverged"] or None in metrics.values() else metrics.get("validation_error")
        return found

    def trial_lines(self):
        rows = []
        for (workers, name), errors in sorted(self.tried().items(), key=lambda item: item[0][0]):
            rows.append([str(workers), title(name), "; ".join("%s: %s" % (key, number(None if error is None else 100 * error, 1)) for key, error in errors.items())])
        return readme.table(["workers", "rule", "setting: validation error, %"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="of README.md")
    parser.add_argument("--results", metavar="PATH", help="what dcps compare wrote (default: FOLDER/results.json)")
    job = parser.parse_args()
    with open(job.results or os.path.join(job.folder, "results.json"), encoding="utf-8") as file:
        page = Page(json.load(file))
    path = os.path.join(job.folder, "README.md")
    readme.put(path, "results", list(page.results()))
    if page.trials:
        readme.put(path, "trials", page.trial_lines())


if __name__ == "__main__":
    main()
