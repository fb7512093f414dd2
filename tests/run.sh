#!/bin/sh
# Installs what the tests need, builds, and runs all tests: plain, under the sanitizers, and the fuzz targets.
set -eu

cd "$(dirname "$0")/.."

all_presets="dev asan-ubsan tsan fuzz"
results=build/test-results

say() {
    printf '%s\n' "$*"
}

step() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '%s\n' "run.sh: $*" >&2
    exit 1
}

usage() {
    cat <<'EOF'
Usage: tests/run.sh [--only PRESET]… [-L LABEL] [-R REGEX] [-j JOBS] [--no-install]
  --only PRESET   dev, asan-ubsan, tsan or fuzz; may be given several times (default: all of them in this order)
  -L LABEL        tests with this label: unit, parity, exactness, sim, integration, fuzz, lint
  -R REGEX        tests whose name matches
  -j JOBS         build and run so many at once (default: number of processors)
  --no-install    expect all packages to be there
Tests that read published data sets look for them in DCPS_TEST_DATA or DCPS_DATA, or else in data, ../data or ../*/data.
EOF
}

presets=
label=
pattern=
install=yes
jobs=$(nproc)
while [ $# -gt 0 ]; do
    case $1 in
    --only | -L | -R | -j) [ $# -ge 2 ] || fail "$1 needs a value; see tests/run.sh --help" ;;
    esac
    case $1 in
    --only)
        case " $all_presets " in
        *" $2 "*) presets="$presets $2" ;;
        *) fail "--only: expected one of $all_presets, got \"$2\"" ;;
        esac
        shift
        ;;
    -L) label=$2 && shift ;;
    -R) pattern=$2 && shift ;;
    -j)
        jobs=$2 && shift
        case $jobs in '' | 0 | *[!0-9]*) fail "-j: expected a number of jobs, got \"$jobs\"" ;; esac
        ;;
    --no-install) install=no ;;
    --help | -h) usage && exit 0 ;;
    *) usage >&2 && fail "unknown argument \"$1\"" ;;
    esac
    shift
done
[ -n "$presets" ] || presets=$all_presets

# A Python with safetensors, for the tests that check our files with it. Without it they are skipped, and say so.
prepare_python() {
    venv=build/venv
    stamp=$venv/requirements.txt
    if ! cmp -s tests/requirements.txt "$stamp"; then
        say "making $venv from tests/requirements.txt"
        rm -rf "$venv"
        if ! /usr/bin/python3 -m venv "$venv" || ! "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt; then
            say "cannot install tests/requirements.txt (is PyPI reachable?): tests that need it will be skipped"
            rm -rf "$venv"
            return
        fi
        cp tests/requirements.txt "$stamp"
    fi
    DCPS_TEST_PYTHON=$(pwd)/$venv/bin/python
    export DCPS_TEST_PYTHON
}

# A folder of published data sets here or nearby, for the tests that read them whole. Without it they are skipped, and say so.
find_data() {
    [ -z "${DCPS_TEST_DATA:-${DCPS_DATA:-}}" ] || return 0
    for folder in data ../data ../*/data; do
        for set in cifar10 mnist ptb; do
            if [ -d "$folder/$set" ]; then
                DCPS_TEST_DATA=$(cd "$folder" && pwd)
                export DCPS_TEST_DATA
                say "data sets for tests: $DCPS_TEST_DATA"
                return 0
            fi
        done
    done
}

# gcc 12's ThreadSanitizer cannot map its shadow memory when addresses are randomised by more than 28 bits.
without_randomisation() {
    bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
    if [ "$bits" -gt 28 ] && command -v setarch >/dev/null 2>&1; then
        setarch -R "$@"
    else
        "$@"
    fi
}

# Prints ATTRIBUTE of the first line of a JUnit file that has it.
junit() {
    sed -n "s/.*[[:space:]]$2=\"\\([0-9]*\\)\".*/\\1/p" "$1" | head -n 1
}

passed=0
failed=0
skipped=0
broken=
summary=

run_preset() {
    preset=$1
    step "$preset: configure and build"
    set --
    [ -t 1 ] || set -- -- --quiet # a line for each file is for people who watch
    if ! cmake --preset "$preset" -Wno-dev --log-level=WARNING >/dev/null || ! cmake --build --preset "$preset" -j "$jobs" "$@"; then
        broken="$broken $preset"
        summary="$summary
  $preset: does not build"
        return
    fi
    step "$preset: tests"
    # Two slots for each job and one for a test that waits: see dcps_test_properties.
    set -- ctest --preset "$preset" -j $((2 * jobs + 1)) --output-junit "$(pwd)/$results/$preset.xml"
    [ -z "$label" ] || set -- "$@" -L "$label"
    [ -z "$pattern" ] || set -- "$@" -R "$pattern"
    # Lints look at sources, not at builds, and sources are the same under every preset.
    [ "$preset" = dev ] || set -- "$@" -LE lint
    rm -f "$results/$preset.xml"
    outcome=0
    case $preset in
    tsan) without_randomisation "$@" || outcome=$? ;;
    *) "$@" || outcome=$? ;;
    esac
    count_results "$preset" "$outcome"
}

count_results() {
    file=$results/$1.xml
    total=0
    bad=0
    skips=0
    if [ -f "$file" ]; then
        total=$(junit "$file" tests)
        bad=$(junit "$file" failures)
        skips=$(junit "$file" skipped)
    fi
    if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
        broken="$broken $1" # ctest itself failed
    fi
    passed=$((passed + total - bad - skips))
    failed=$((failed + bad))
    skipped=$((skipped + skips))
    summary="$summary
  $1: $((total - bad - skips)) passed, $bad failed, $skips skipped"
}

if [ "$install" = yes ]; then
    step "packages"
    ./deploy/install-packages.sh --tests
fi
mkdir -p "$results"
step "python"
prepare_python
find_data

for preset in $presets; do
    run_preset "$preset"
done

step "summary$summary"
say "$passed passed, $failed failed, $skipped skipped"
if [ -n "$broken" ]; then
    say "could not be tested:$broken"
    exit 1
fi
[ "$failed" -eq 0 ] || exit 1
[ "$passed" -gt 0 ] || fail "no test was run: does any match?"
