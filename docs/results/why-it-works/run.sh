#!/bin/sh
# Repeats the measurements of README.md: probes of a small net in virtual time, into the folder named (default: runs/why-it-works).
set -eu
out=${1:-runs/why-it-works}
here=$(dirname "$0")
dcps=${DCPS:-$here/../../../build/release/bin/dcps}

# ALGORITHM WORKERS BATCH LEARNING-RATE EVERY: twelve epochs, the learning rate × 0.1 after the eighth and × 0.1 again after the tenth; about ninety probes.
probe() {
    folder="$out/$1-$2-batch-$3-rate-$4"
    "$dcps" sim --model mlp --model-opt hidden=32 --algorithm "$1" --workers "$2" --batch-size "$3" --learning-rate "$4" --warmup-epochs 1 \
        --epochs 12 --decay-epochs 8,10 --decay-factor 0.1 --step-time gamma:100ms --threads 1 \
        --probe "$folder" --probe-every "$5" --probe-vectors 32 --out "$folder" \
        --probe-rules "dc-c:lambda=0.04;dc-c:lambda=2;dc-c:lambda=128;dc-a:lambda=2;dc-a:lambda=32;dc-b:lambda=8;dc-b:lambda=32;dc-b:lambda=128;dc-b:lambda=512;dc-i:lambda=2;dc-i:lambda=4;dc-i:lambda=4:correction-bound=1000;gap-aware;dc-b,gap-aware:lambda=512"
}

for workers in 8 16; do
    for algorithm in asgd dc-asgd-b; do
        probe "$algorithm" "$workers" 128 0.05 61
        probe "$algorithm" "$workers" 16 0.02 491
    done
done
probe asgd 16 128 0.02 61      # a rate at which plain ASGD is at its best
probe dc-asgd-b 16 128 0.1 61  # one at which plain ASGD diverges
probe dc-asgd-i 16 128 0.1 61
python3 "$here/summarise.py" "$out"
