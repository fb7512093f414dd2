#!/bin/sh
# Measures the borders anew and writes borders.json, border.svg and the tables of README.md. Programs: build/release/bin, or the folder given.
set -eu

cd "$(dirname "$0")"
bin=$(cd "${1:-../../../build/release/bin}" && pwd)
exec python3 measure.py "$bin/dcps"
