#!/bin/sh
# Measures the borders anew and writes borders.json, border.svg and the tables of README.md.
set -eu

here=$(dirname "$0")
exec python3 "$here/measure.py" "${DCPS:-$here/../../../build/release/bin/dcps}"
