#!/bin/sh
# Every rule on Fashion-MNIST at 4, 8, 16 and 32 workers in virtual time, each tuned with eight trials on 5,000 images held out, with and without momentum. What is finished stays in
# OUT, so the same command goes on where it was stopped. Usage: run.sh OUT [WORKERS…]
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- 4 8 16 32
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}

rules="asgd ssgd sa-asgd gap-aware dc-asgd-c dc-asgd-a dc-asgd-b asgd+compensation=dc-b,gap-aware dc-asgd-i"
heavy="+optimizer=momentum+momentum=0.9"

runs="sgd@1,sgd$heavy@1"
for workers in "$@"; do
  for rule in $rules; do
    runs="$runs,$rule@$workers,$rule$heavy@$workers"
  done
  runs="$runs,dana-dc@$workers,ormo@$workers"
done

# Eight trials for every rule: eight learning rates, or four and two strengths. With momentum 0.9 the same steps are reached at a fifth of the learning rate or so.
plain8=0.01:0.02:0.04:0.08:0.16:0.32:0.64:1.28
large8=0.04:0.08:0.16:0.32:0.64:1.28:2.56:5.12
heavy8=0.0025:0.005:0.01:0.02:0.04:0.08:0.16:0.32
plain4=0.04:0.08:0.16:0.32
heavy4=0.005:0.01:0.02:0.04

exec "$dcps" compare --virtual --out "$out" --runs "$runs" --seeds 3 --model cnn --model-opt filters=16,16 --model-opt hidden=64 \
  --epochs 4 --warmup-epochs 1 --decay-epochs 3 --decay-factor 0.1 --batch-size 128 --step-time gamma:100ms --validation 5000 --threads 1 \
  --sweep "learning-rate=$plain8" \
  --sweep "sgd$heavy:learning-rate=$heavy8" --sweep "asgd$heavy:learning-rate=$heavy8" \
  --sweep "ssgd:learning-rate=$large8" --sweep "ssgd$heavy:learning-rate=$plain8" \
  --sweep "sa-asgd:learning-rate=$large8" --sweep "sa-asgd$heavy:learning-rate=$plain8" \
  --sweep "gap-aware$heavy:learning-rate=$heavy8" --sweep "ormo:learning-rate=$heavy8" \
  --sweep "dc-asgd-c:learning-rate=$plain4,lambda=0.04:32" --sweep "dc-asgd-c$heavy:learning-rate=$heavy4,lambda=0.04:32" \
  --sweep "dc-asgd-a:learning-rate=$plain4,lambda=2:16" --sweep "dc-asgd-a$heavy:learning-rate=$heavy4,lambda=2:16" \
  --sweep "dana-dc:learning-rate=$heavy4,lambda=2:32" \
  --sweep "dc-asgd-b:learning-rate=0.08:0.16:0.32:0.64,lambda=128:512" --sweep "dc-asgd-b$heavy:learning-rate=$heavy4,lambda=128:512" \
  --sweep "dc-asgd-i:learning-rate=$plain4,lambda=2:8" --sweep "dc-asgd-i$heavy:learning-rate=$heavy4,lambda=2:8" \
  --sweep "asgd+compensation=dc-b,gap-aware:learning-rate=0.08:0.16:0.32:0.64,lambda=128:512" \
  --sweep "asgd+compensation=dc-b,gap-aware$heavy:learning-rate=$heavy4,lambda=128:512"
