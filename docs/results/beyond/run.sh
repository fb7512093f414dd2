#!/bin/sh
# Is there something better than the published rules? Parts of the pipeline put together in new ways, on the net and with the tuning of ../fashion-cnn (eight trials each). Usage: run.sh OUT [WORKERS…]
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- 16
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
runs=sgd@1
for workers in "$@"; do
  # What is known: late gradients as they are, the best published rules.
  runs="$runs,asgd@$workers,gap-aware@$workers,dana-zero@$workers,dana-dc@$workers"
  # The bound alone: whatever lambda was, only the sign of g(w - w_bak) is left; half and twice the bound; lambda of dc-c times the batch size.
  runs="$runs,dc-asgd-b+lambda=1e6@$workers,dc-asgd-b+lambda=512+correction-bound=0.5@$workers,dc-asgd-b+lambda=512+correction-bound=2@$workers,dc-asgd-c+lambda=5.12@$workers"
  # Bounded, then gap-aware; gap-aware first.
  runs="$runs,asgd+compensation=dc-b,gap-aware+lambda=512@$workers,asgd+compensation=gap-aware,dc-b+lambda=512@$workers"
  # One curvature for all parameters.
  runs="$runs,dc-asgd-i@$workers"
  # With momentum that knows of delays: look-ahead, and momentum in the order of issue.
  runs="$runs,dana-zero+compensation=dc-i@$workers"
  runs="$runs,dana-zero+compensation=gap-aware@$workers,dana-zero+compensation=dc-b+lambda=128@$workers,dana-zero+compensation=dc-b,gap-aware+lambda=512@$workers"
  runs="$runs,ormo@$workers,ormo+compensation=gap-aware@$workers,ormo+compensation=dc-b+lambda=128@$workers,ormo+compensation=dc-a+lambda=2@$workers"
done
exec "$dcps" compare --virtual --out "$out" --runs "$runs" --seeds 3 --model cnn --model-opt filters=16,16 --model-opt hidden=64 \
  --epochs 4 --warmup-epochs 1 --decay-epochs 3 --decay-factor 0.1 --batch-size 128 --step-time gamma:100ms --validation 5000 --threads 1 \
  --sweep learning-rate=0.01:0.02:0.04:0.08:0.16:0.32:0.64:1.28 \
  --sweep dana-zero:learning-rate=0.0025:0.005:0.01:0.02:0.04:0.08:0.16:0.32 --sweep ormo:learning-rate=0.0025:0.005:0.01:0.02:0.04:0.08:0.16:0.32 --sweep dana-dc:learning-rate=0.0025:0.005:0.01:0.02:0.04:0.08:0.16:0.32
