#!/bin/sh
# ResNet-8 with batch normalisation on CIFAR-10, 20 epochs, in virtual time at 8 and 16 workers: the rules of the paper and the best two of ../fashion-cnn. First learning rates are chosen on 5,000
# images held out, in runs of 8 epochs whose schedule is the long one's made shorter; then the long runs. What is finished stays in OUT. DCPS_DATA names the data; unpack the .xz files
# of CIFAR-10 once, or every run does. Usage: run.sh tune OUT | run.sh final OUT NAME=RATE…   (a name as in the table of the first: asgd@8=0.25)
set -eu
phase=$1
out=$2
shift 2
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
rules=${RULES:-"asgd ssgd dc-asgd-c dc-asgd-a dc-asgd-b asgd+compensation=dc-b,gap-aware+lambda=512"}

compare() {
  exec "$dcps" compare --virtual --model resnet --model-opt depth=8 --batch-size 128 --warmup-epochs 1 --decay-factor 0.1 --weight-decay 1e-4 --step-time gamma:100ms \
    --threads 1 "$@"
}

if [ "$phase" = tune ]; then
  runs=sgd@1
  for workers in 8 16; do
    for rule in $rules; do runs="$runs,$rule@$workers"; done
  done
  # Only the trials are of interest: their winners are trained anew by "final".
  compare --out "$out/tune" --runs "$runs" --seeds 1 --epochs 8 --decay-epochs 4,6 --validation 5000 --split validation \
    --sweep learning-rate=0.05:0.1:0.2:0.4 --sweep ssgd:learning-rate=0.2:0.4:0.8:1.6 --sweep sgd:learning-rate=0.1:0.2:0.4:0.8 \
    --sweep dc-asgd-b:learning-rate=0.1:0.2:0.4:0.8 --sweep asgd+compensation=dc-b,gap-aware+lambda=512:learning-rate=0.2:0.4:0.8:1.6
fi

runs=
for choice in "$@"; do
  name=${choice%=*}
  runs="$runs${runs:+,}${name%@*}+learning-rate=${choice##*=}@${name##*@}"
done
compare --out "$out/final" --runs "$runs" --seeds 2 --epochs 20 --decay-epochs 10,15
