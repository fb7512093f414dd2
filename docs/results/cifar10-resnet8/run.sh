#!/bin/sh
# ResNet-8 with batch normalisation on CIFAR-10, 20 epochs, in virtual time: the rules of the paper, and the best two of ../fashion-cnn that need not wait. Learning rates are chosen on 5,000
# images held out, in runs of 5 epochs whose schedule is the long one's made shorter; then each is trained with SEEDS other seeds. What is finished stays in OUT, and the same command goes on where it
# was stopped. DCPS_DATA names the data; unpack the .xz files of CIFAR-10 once, or every run does. DCPS_DEVICE=cuda computes on a GPU. Usage: run.sh OUT
set -eu
out=$1
dcps=${DCPS:-$(dirname "$0")/../../../build/release/bin/dcps}
heavy="sgd+optimizer=momentum+momentum=0.9"

runs="sgd@1,$heavy@1"
for workers in 8 16; do
  for rule in asgd ssgd dc-asgd-c dc-asgd-a dc-asgd-b ormo; do runs="$runs,$rule@$workers"; done
done
# Four rates, and one more where the best was the least or the greatest.
exec "$dcps" compare --virtual --out "$out" --runs "$runs" --seeds "${SEEDS:-2}" --model resnet --model-opt depth=8 --batch-size 128 --epochs 20 --warmup-epochs 1 --decay-epochs 10,15 --decay-factor 0.1 \
  --weight-decay 1e-4 --step-time gamma:100ms --threads 1 --validation 5000 --tune-epochs 5 --tune-decay-epochs 3,4 \
  --sweep learning-rate=0.05:0.1:0.2:0.4 --sweep asgd@16:learning-rate=0.025:0.05:0.1:0.2:0.4 --sweep dc-asgd-c@16:learning-rate=0.025:0.05:0.1:0.2:0.4 \
  --sweep dc-asgd-a@8:learning-rate=0.05:0.1:0.2:0.4:0.8 --sweep dc-asgd-a@16:learning-rate=0.025:0.05:0.1:0.2:0.4 --sweep dc-asgd-b@8:learning-rate=0.1:0.2:0.4:0.8:1.6 --sweep dc-asgd-b@16:learning-rate=0.1:0.2:0.4:0.8 \
  --sweep sgd:learning-rate=0.1:0.2:0.4:0.8:1.6 --sweep "$heavy:learning-rate=0.01:0.02:0.05:0.1:0.2" --sweep ssgd:learning-rate=0.4:0.8:1.6:3.2 \
  --sweep ormo@8:learning-rate=0.005:0.01:0.02:0.05:0.1 --sweep ormo@16:learning-rate=0.005:0.01:0.02:0.05
