#!/bin/sh
# Real processes: four workers, one of them four times as slow. How long until the servers' weights have a given error? On a machine that does nothing else. Usage: run.sh OUT
set -eu
out=$1
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
# Four gradients to an update, and three: the same epochs make as much fewer updates, each of a step so much larger.
gap='asgd+compensation=dc-b,gap-aware+lambda=512@4'
exec "$dcps" compare --out "$out" --runs "sgd@1,ssgd+learning-rate=0.4@4,ssgd+backup-workers=1+learning-rate=0.3@4,ssp@4,asgd@4,dc-asgd-c@4,dc-asgd-a@4,dc-asgd-b@4,$gap" --seeds 3 --model cnn \
  --model-opt filters=16,16 --model-opt hidden=64 --epochs 4 --warmup-epochs 1 --decay-epochs 3 --decay-factor 0.1 --learning-rate 0.1 --batch-size 128 --threads 1 \
  --groups slow:1:4 --target test_error=0.12
