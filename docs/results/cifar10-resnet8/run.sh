#!/bin/sh
# ResNet-8 with batch normalisation on CIFAR-10, 20 epochs, in virtual time: the rules of the paper, dc-b, and the best two of ../fashion-cnn. First learning rates are chosen on 5,000 images held
# out, in runs of 5 epochs whose schedule is the long one's made shorter; then the long runs, at those rates. What is finished stays in OUT, and the same command goes on where it was stopped.
# DCPS_DATA names the data; unpack the .xz files of CIFAR-10 once, or every run does. Usage: run.sh OUT [WORKERS…]
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- 8 16
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
rules="asgd ssgd dc-asgd-c dc-asgd-a dc-asgd-b ormo dana-dc"
heavy="sgd+optimizer=momentum+momentum=0.9"

compare() {
  "$dcps" compare --virtual --model resnet --model-opt depth=8 --batch-size 128 --warmup-epochs 1 --decay-factor 0.1 --weight-decay 1e-4 --step-time gamma:100ms --threads 1 "$@"
}

runs="sgd@1,$heavy@1"
for workers in "$@"; do
  for rule in $rules; do runs="$runs,$rule@$workers"; done
done
# Only the trials are of interest: what they chose is trained anew, and longer.
compare --out "$out/tune" --runs "$runs" --seeds 1 --epochs 5 --decay-epochs 3,4 --validation 5000 --split validation \
  --sweep learning-rate=0.05:0.1:0.2:0.4 --sweep sgd:learning-rate=0.1:0.2:0.4:0.8 --sweep ssgd:learning-rate=0.4:0.8:1.6:3.2 --sweep dc-asgd-b:learning-rate=0.1:0.2:0.4:0.8 \
  --sweep "$heavy:learning-rate=0.01:0.02:0.05:0.1" --sweep ormo:learning-rate=0.005:0.01:0.02:0.05 --sweep dana-dc:learning-rate=0.005:0.01:0.02:0.05

sweeps=$(python3 -c '
import json, sys
for row in json.load(open(sys.argv[1], encoding="utf-8"))["summary"]:
    print("--sweep=%s@%d:learning-rate=%g" % (row["name"], row["workers"], row["chosen"]["setting"]["learning-rate"]))' "$out/tune/results.json")
# A list of one value is no trial but a choice. Words without blanks: to be split.
# shellcheck disable=SC2086
compare --out "$out/final" --runs "$runs" --seeds 2 --epochs 20 --decay-epochs 10,15 $sweeps
