#!/usr/bin/env python3
"""Prints each sweep NAME@WORKERS:learning-rate=…[,lambda=…] as an argument of dcps compare, a line each, with the learning rates that RESULTS tried in addition; where the best of them
was the least or the greatest, with the next one outward, at the ratio of those before. Without RESULTS the sweeps stay as they are: started over and over, a script comes to the same end."""
import argparse
import json
import os


def parse(sweep):
    """(name, workers), [rates], what follows them"""
    of, _, lists = sweep.rpartition(":learning-rate=")
    name, _, workers = of.rpartition("@")
    rates, comma, rest = lists.partition(",")
    if not name or not workers.isdecimal():
        raise SystemExit('widen.py: expected NAME@WORKERS:learning-rate=…, got "%s"' % sweep)
    return (name, int(workers)), [float(rate) for rate in rates.split(":")], comma + rest


def outward(rates, best):
    """The rate to try next, or none if the best one lies inside."""
    if best == rates[0]:
        return [float("%.9g" % (rates[0] * rates[0] / rates[1]))]
    if best == rates[-1]:
        return [float("%.9g" % (rates[-1] * rates[-1] / rates[-2]))]
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS", help="results.json of the comparison so far, if there is one")
    parser.add_argument("sweeps", nargs="+", metavar="SWEEP")
    job = parser.parse_args()
    tried, best = {}, {}
    if os.path.exists(job.results):
        with open(job.results, encoding="utf-8") as file:
            document = json.load(file)
        for trial in document["trials"]:
            tried.setdefault((trial["name"], trial["workers"]), set()).add(trial["setting"]["learning-rate"])
        for row in document["summary"]:
            if row.get("chosen"):
                best[row["name"], row["workers"]] = row["chosen"]["setting"]["learning-rate"]
    for sweep in job.sweeps:
        of, rates, rest = parse(sweep)
        rates = sorted(set(rates) | tried.get(of, set()))
        rates = sorted(rates + outward(rates, best.get(of)))
        print("--sweep=%s@%d:learning-rate=%s%s" % (*of, ":".join("%.9g" % rate for rate in rates), rest))


if __name__ == "__main__":
    main()
