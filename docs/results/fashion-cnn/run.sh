#!/bin/sh
# Every rule on Fashion-MNIST at 4, 8, 16 and 32 workers in virtual time, with and without momentum, each tuned on 5,000 images held out: eight trials, then more while the best learning rate is
# the least or the greatest of those tried. What is finished stays in OUT, so the same command goes on where it was stopped. Usage: [SEEDS=5] run.sh OUT [WORKERS…]
set -eu
out=$1
shift
[ $# -gt 0 ] || set -- 4 8 16 32
here=$(dirname "$0")
dcps=${DCPS:-$here/../../../build/release/bin/dcps}

heavy="+optimizer=momentum+momentum=0.9"
chain="asgd+compensation=dc-b,gap-aware"
rules="asgd ssgd sa-asgd gap-aware dc-asgd-c dc-asgd-a dc-asgd-b $chain dc-asgd-i"

# Eight trials for every rule: eight learning rates, or four and two strengths. With momentum 0.9 the same steps are reached at a fifth of the learning rate or so; of 32 workers two rules
# learn nothing, or hardly anything, at any of those rates, and have lower ones too.
trials() {
  plain8=0.01:0.02:0.04:0.08:0.16:0.32:0.64:1.28
  large8=0.04:0.08:0.16:0.32:0.64:1.28:2.56:5.12
  heavy8=0.0025:0.005:0.01:0.02:0.04:0.08:0.16:0.32
  plain4=0.04:0.08:0.16:0.32
  large4=0.08:0.16:0.32:0.64
  heavy4=0.005:0.01:0.02:0.04
  tiny4=0.0003125:0.000625:0.00125:0.0025
  case $1 in
  asgd"$heavy"@32) echo $tiny4:0.005:0.01:0.02:0.04:0.08:0.16:0.32 && return ;;
  dc-asgd-c"$heavy"@32) echo $tiny4:$heavy4,lambda=0.04:32 && return ;;
  esac
  case ${1%@*} in
  ssgd | sa-asgd) echo $large8 ;;
  ssgd"$heavy" | sa-asgd"$heavy") echo $plain8 ;;
  dana-dc) echo $heavy4,lambda=2:32 ;;
  dc-asgd-c) echo $plain4,lambda=0.04:32 ;;
  dc-asgd-a) echo $plain4,lambda=2:16 ;;
  dc-asgd-i) echo $plain4,lambda=2:8 ;;
  dc-asgd-b | "$chain") echo $large4,lambda=128:512 ;;
  dc-asgd-c"$heavy") echo $heavy4,lambda=0.04:32 ;;
  dc-asgd-a"$heavy") echo $heavy4,lambda=2:16 ;;
  dc-asgd-i"$heavy") echo $heavy4,lambda=2:8 ;;
  dc-asgd-b"$heavy" | "$chain$heavy") echo $heavy4,lambda=128:512 ;;
  *"$heavy" | ormo) echo $heavy8 ;;
  *) echo $plain8 ;;
  esac
}

names="sgd@1 sgd$heavy@1"
for workers in "$@"; do
  for rule in $rules; do
    names="$names $rule@$workers $rule$heavy@$workers"
  done
  # With the published strengths; and momentum that knows of delays.
  names="$names dc-asgd-c+lambda=0.04@$workers dc-asgd-a+lambda=2@$workers dana-dc@$workers ormo@$workers"
done
# shellcheck source=docs/results/tuned.sh
. "$here/../tuned.sh"
tune_and_compare "${SEEDS:-5}"
