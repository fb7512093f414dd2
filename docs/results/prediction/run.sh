#!/bin/sh
# Compares real runs with 1 to 4 workers on this machine with their prediction; minutes, on a machine that does nothing else. Arguments: see predict.py --help.
set -eu

exec python3 "$(dirname "$0")/predict.py" "$@"
