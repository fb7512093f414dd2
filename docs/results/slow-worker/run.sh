#!/bin/sh
# Real processes: four workers, one of them four times as slow. How long until the servers' weights have a given error? Each rule has the settings that were chosen for it at four even workers
# (../fashion-cnn); ssp those of asgd. On a machine that does nothing else. Usage: run.sh OUT
set -eu
out=$1
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
heavy='optimizer=momentum+momentum=0.9'
chain='asgd+compensation=dc-b,gap-aware'
# A round with a backup worker has three gradients, one without has four: as much smaller is its step.
exec "$dcps" compare --out "$out" --runs "sgd@1,ssgd@4,ssgd+$heavy@4,ssgd+backup-workers=1@4,ssp@4,asgd@4,dc-asgd-c@4,dc-asgd-a@4,dc-asgd-b@4,$chain@4,ormo@4" --seeds 3 --model cnn \
  --model-opt filters=16,16 --model-opt hidden=64 --epochs 4 --warmup-epochs 1 --decay-epochs 3 --decay-factor 0.1 --batch-size 128 --threads 1 --groups slow:1:4 --target test_error=0.12 \
  --sweep sgd:learning-rate=0.16 --sweep ssgd:learning-rate=0.64 --sweep "ssgd+$heavy:learning-rate=0.08" --sweep ssgd+backup-workers=1:learning-rate=0.48 --sweep ssp:learning-rate=0.08 \
  --sweep asgd:learning-rate=0.08 --sweep dc-asgd-c:learning-rate=0.08,lambda=0.04 --sweep dc-asgd-a:learning-rate=0.32,lambda=2 --sweep dc-asgd-b:learning-rate=0.64,lambda=128 \
  --sweep "$chain:learning-rate=0.32,lambda=128" --sweep ormo:learning-rate=0.02
