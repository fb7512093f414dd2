#!/bin/sh
# Is there something better than the published rules? Parts of the pipeline put together in new ways, on the net of ../fashion-cnn: four learning rates each, then more while the best is the least
# or the greatest of those tried. What is finished stays in OUT, so the same command goes on where it was stopped. Usage: [SEEDS=3] run.sh OUT [WORKERS…]
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- 16
here=$(dirname "$0")
dcps=${DCPS:-$here/../../../build/release/bin/dcps}

# What is known: late gradients as they are, and the best published rules.
known="asgd gap-aware dana-zero dana-dc ormo"
# The bound with less and less of lambda in it, down to the bound alone: whatever lambda was, only the sign of g(w - w_bak) is left. Half and twice the bound.
bound="dc-asgd-b+lambda=8 dc-asgd-b+lambda=32 dc-asgd-b dc-asgd-b+lambda=512 dc-asgd-b+lambda=1e6 dc-asgd-b+lambda=512+correction-bound=0.5 dc-asgd-b+lambda=512+correction-bound=2"
# lambda of dc-c times the batch size; one curvature for all parameters.
curvature="dc-asgd-c+lambda=5.12 dc-asgd-i"
# Bounded, then gap-aware; gap-aware first.
chains="asgd+compensation=dc-b,gap-aware+lambda=512 asgd+compensation=gap-aware,dc-b+lambda=512"
# With momentum that knows of delays: look-ahead, and momentum in the order of issue.
ahead="dana-zero+compensation=dc-i dana-zero+compensation=gap-aware dana-zero+compensation=dc-b+lambda=128 dana-zero+compensation=dc-b,gap-aware+lambda=512"
ordered="ormo+compensation=gap-aware ormo+compensation=dc-b+lambda=128 ormo+compensation=dc-a+lambda=2"

names=sgd@1
for workers in "$@"; do
  for rule in $known $bound $curvature $chains $ahead $ordered; do
    names="$names $rule@$workers"
  done
done

trials() {
  case $1 in
  dana-* | ormo*) echo 0.005:0.01:0.02:0.04 ;;
  *) echo 0.08:0.16:0.32:0.64 ;;
  esac
}

# shellcheck source=docs/results/tuned.sh
. "$here/../tuned.sh"
tune_and_compare "${SEEDS:-3}"
