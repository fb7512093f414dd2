#!/bin/sh
# What only a GPU can show, in about ten minutes: see docs/gpu.md. Every part leaves a log in the folder, and one that cannot run says why; summary.txt has a line each.
set -u

cd "$(dirname "$0")/../.." || exit 1

all="info build parity memcheck racecheck synccheck initcheck syncs bench pytorch workers"

usage() {
    cat <<END
Usage: tests/gpu/run.sh DIR [PART…]
  DIR    logs and figures go here
  PART   $all   (all of them, in this order)
Environment: DCPS_DATA      folder with CIFAR-10 and PTB; made-up data of these shapes where it has not both
             DCPS_GPU       the device, cuda:0 if not set
             DCPS_GPU_BUILD an existing build with tests, build/cuda if not set
END
}

case ${1:-} in
"" | -*)
    usage >&2
    exit 2
    ;;
esac
is_part() {
    for known in $all; do
        [ "$1" != "$known" ] || return 0
    done
    return 1
}

folder=$1
shift
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $all
for part in "$@"; do
    is_part "$part" || {
        printf '%s\n' "run.sh: no part \"$part\"" >&2
        usage >&2
        exit 2
    }
done
mkdir -p "$folder" || exit 1
out=$(cd "$folder" && pwd)
: >"$out/summary.txt" || exit 1
device=${DCPS_GPU:-cuda:0}
build=${DCPS_GPU_BUILD:-build/cuda}
data=${DCPS_DATA:-}
failed=0

# Where the toolkit's tools are when nobody has put them on the path, and where Python has cuDNN if the toolkit lacks it.
PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
: "${CUDNN_ROOT:=$(python3 -c 'import nvidia.cudnn; print(list(nvidia.cudnn.__path__)[0])' 2>/dev/null)}"
export PATH CUDNN_ROOT

note() {
    printf '%s\n' "$*" | tee -a "$out/summary.txt"
}

# run NAME SECONDS COMMAND…: its output goes to NAME.log.
run() {
    name=$1
    seconds=$2
    shift 2
    begin=$(date +%s)
    timeout "$seconds" "$@" >"$out/$name.log" 2>&1
    code=$?
    took=$(($(date +%s) - begin))
    case $code in
    0) note "ok       $name (${took} s)" ;;
    77) note "skipped  $name: $(tail -n 1 "$out/$name.log")" ;;
    124) note "FAILED   $name: not done in $seconds s" && failed=1 ;;
    *) note "FAILED   $name (exit code $code, ${took} s): $(tail -n 1 "$out/$name.log")" && failed=1 ;;
    esac
    return "$code"
}

have() {
    command -v "$1" >/dev/null 2>&1 && return 0
    note "skipped  $2: $1 is not there"
    return 1
}

data_has() {
    [ -d "$data" ] && find -L "$data" -maxdepth 2 -name "$1*" | grep -q .
}

data_ready() {
    data_has data_batch_1.bin && data_has ptb.train.txt && return
    data=$out/data
    [ -e "$data/ptb.test.txt" ] || python3 tests/gpu/made_up_data.py "$data"
    note "         made-up data for benchmarks in $data"
}

resnet="--model resnet --model-opt depth=20 --batch-size 128"
lstm="--model lstm --model-opt hidden=1500 --model-opt layers=2 --model-opt bptt=35 --model-opt dropout=0.65 --batch-size 20"

part_info() {
    run info 60 sh -c 'nvidia-smi; nvidia-smi -q -d CLOCK,POWER | head -n 60; nvcc --version; cmake --version; gcc --version; nproc; free -m
        ldconfig -p | grep -E "libcu(blas|dnn)[.]so"; printenv CUDNN_ROOT
        python3 -c "import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())"; true'
}

part_build() {
    if [ -x "$build/bin/dcps" ]; then
        note "         build: using $build"
        return
    fi
    run build 600 sh -c 'cmake --preset cuda -Wno-dev && cmake --build --preset cuda'
}

part_parity() {
    run parity 120 "$build/tests/test_parity_cuda"
    run steps 120 "$build/tests/test_steps_cuda"
}

# Of every op, and of training with graphs, staging and several pieces of gradient.
sanitize() {
    have compute-sanitizer "$1" || return
    run "$1-parity" 150 compute-sanitizer --tool "$1" --error-exitcode 1 "$build/tests/test_parity_cuda"
    run "$1-training" 100 compute-sanitizer --tool "$1" --error-exitcode 1 "$build/tests/test_steps_cuda"
}
# In a steady state: no allocation, no synchronisation but of the events of copies, the same few graphs again and again.
part_syncs() {
    have nsys syncs || return
    data_ready
    # shellcheck disable=SC2086 # lists of words
    run syncs 120 nsys profile --trace cuda --force-overwrite true --output "$out/steps" \
        "$build/bin/dcps" bench model --device "$device" --data "$data" $resnet --steps 50 --repeats 1 &&
        run syncs-calls 60 nsys stats --report cuda_api_sum --report cuda_gpu_kern_sum "$out/steps.nsys-rep"
}

# bench_one NAME OPTION…
bench_one() {
    model=$1
    shift
    run "bench-$model" 60 "$build/bin/dcps" bench model --device "$device" --data "$data" "$@" --steps 100 --repeats 3 --json
    run "profile-$model" 60 "$build/bin/dcps" bench model --device "$device" --data "$data" "$@" --steps 5 --repeats 1 --profile
}

part_bench() {
    data_ready
    # shellcheck disable=SC2086 # lists of words
    bench_one resnet $resnet
    # shellcheck disable=SC2086 # lists of words
    bench_one lstm $lstm
}

part_pytorch() {
    python3 -c 'import torch' 2>/dev/null || {
        note "skipped  pytorch: python3 has no torch"
        return
    }
    run pytorch-eager 90 python3 tests/gpu/bench_pytorch.py resnet lstm
    run pytorch-tf32 90 python3 tests/gpu/bench_pytorch.py --tf32 --channels-last --benchmark resnet lstm
}

# watch_processes LOG: how many processes the GPU serves, once a second, until it is killed.
watch_processes() {
    while sleep 1; do
        nvidia-smi --query-compute-apps=pid --format=csv,noheader | grep -c '[0-9]'
    done >"$1" 2>&1
}

part_workers() {
    data_ready
    watcher=
    if have nvidia-smi "count of processes"; then
        watch_processes "$out/workers-processes.log" &
        watcher=$!
    fi
    run workers 120 "$build/bin/dcps" run --model resnet --device "$device" --data "$data" --workers 4 --algorithm dc-asgd-a --epochs 1 --out "$out/workers"
    [ -n "$watcher" ] || return
    kill "$watcher"
    most=$(sort -n "$out/workers-processes.log" | tail -n 1)
    note "         workers: nvidia-smi shows up to ${most:-0} processes at once"
}

for part in "$@"; do
    case $part in
    info) part_info ;;
    build) part_build ;;
    parity) part_parity ;;
    memcheck | racecheck | synccheck | initcheck) sanitize "$part" ;;
    syncs) part_syncs ;;
    bench) part_bench ;;
    pytorch) part_pytorch ;;
    workers) part_workers ;;
    esac
done
exit "$failed"
