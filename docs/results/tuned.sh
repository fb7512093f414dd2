#!/bin/sh
# Tunes and compares on the small convolutional net, for scripts that set `here`, `dcps`, `out` and `names` ("RULE@WORKERS …", without blanks in a word) and define `trials RULE@WORKERS`, which
# prints the first sweep of learning rates. More rates are tried while the best is the least or the greatest; then come the seeds.
# shellcheck disable=SC2154
sweeps() {
  set --
  for name in $names; do set -- "$@" "$name:learning-rate=$(trials "$name")"; done
  python3 "$here/../widen.py" "$out/results.json" "$@"
}

# Usage: compare SEEDS. The words of the list have no blanks.
compare() {
  # shellcheck disable=SC2086
  "$dcps" compare --virtual --out "$out" --runs "$(echo "$names" | tr ' ' ,)" --seeds "$1" --model cnn --model-opt filters=16,16 --model-opt hidden=64 \
    --epochs 4 --warmup-epochs 1 --decay-epochs 3 --decay-factor 0.1 --batch-size 128 --step-time gamma:100ms --validation 5000 --threads 1 $list
}

# Usage: tune_and_compare SEEDS
tune_and_compare() {
  tried=
  list=$(sweeps)
  until [ "$tried" = "$list" ]; do
    tried=$list
    compare 1
    list=$(sweeps)
  done
  compare "$1"
}
