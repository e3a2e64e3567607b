#!/usr/bin/env bash
# Outside suites over hsm-sim: OpenSC's `pkcs11-tool --test`, and PyPI's `pkcs11-check` over SoftHSM2 and over
# hsm-sim, side by side. `bash hsm-sim/conformance.sh [CATEGORY...]`; all categories take about 25 minutes.
#
# It fails if hsm-sim crashes, or passes fewer checks of a category than SoftHSM2. hsm-sim runs in the profile
# `softhsm` (JINKU_CONFORMANCE_PROFILE names another): both then permit the same things. As root on Debian the
# script installs the packages that are missing; the suite goes into `.tools/`, for which it needs Python 3.12.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SUITE=pkcs11-check==0.2.3
readonly TOOLS="$PWD/.tools/conformance"
readonly SOFTHSM=${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
readonly PROFILE=${JINKU_CONFORMANCE_PROFILE:-softhsm}
readonly PIN=12345678
readonly ALL=(interface slot object mechanism encrypt sign digest errors)
readonly CATEGORY_SECONDS=1500

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

missing() {
    echo "missing: $1 ($2)" >&2
    exit 1
}

prepare() {
    local needed=()
    command -v pkcs11-tool >/dev/null || needed+=(opensc)
    command -v softhsm2-util >/dev/null || needed+=(softhsm2)
    if [ "${#needed[@]}" -gt 0 ]; then
        [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || missing "${needed[*]}" "install them"
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet "${needed[@]}"
    fi
    [ -x "$TOOLS/bin/pkcs11-check" ] || {
        local python
        python=$(python_3_12) || missing "Python 3.12 or later" "name one in PYTHON"
        "$python" -m venv "$TOOLS"
        "$TOOLS/bin/pip" install --quiet "$SUITE"
    }
    cargo build --quiet --locked --package hsm-sim
}

# The first interpreter that the suite can use.
python_3_12() {
    local candidate
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

make_tokens() {
    mkdir -p "$scratch/softhsm" "$scratch/ours"
    echo "directories.tokendir = $scratch/softhsm" >"$scratch/softhsm2.conf"
    softhsm2-util --init-token --free --label conformance --so-pin "$PIN" --pin "$PIN" >/dev/null
    echo "$PIN" >"$scratch/pin"
    "$binaries/jinku-hsm" init --label conformance --so-pin-file "$scratch/pin" --pin-file "$scratch/pin" >/dev/null
}

# Keys for it to try, then the tool's own test, in the profile that is the default.
pkcs11_tool() {
    local tool=(pkcs11-tool --module "$binaries/libhsm_sim.so" --login --pin "$PIN")
    local directory=$scratch/tool
    mkdir "$directory"
    JINKU_HSM_DIR=$directory "$binaries/jinku-hsm" init --label tool --so-pin-file "$scratch/pin" --pin-file "$scratch/pin" >/dev/null
    {
        JINKU_HSM_DIR=$directory "${tool[@]}" --keypairgen --key-type rsa:2048 --id 01 --usage-sign
        JINKU_HSM_DIR=$directory "${tool[@]}" --keypairgen --key-type rsa:2048 --id 02 --usage-decrypt
        JINKU_HSM_DIR=$directory "${tool[@]}" --keypairgen --key-type EC:prime256v1 --id 03 --usage-sign
    } >/dev/null 2>&1
    JINKU_HSM_PROFILE=strict JINKU_HSM_DIR=$directory "${tool[@]}" --test --allow-sw >"$scratch/tool.log" 2>&1 || {
        cat "$scratch/tool.log" >&2
        echo "pkcs11-tool --test failed" >&2
        exit 1
    }
    echo "pkcs11-tool --test --login: $(tail -n 1 "$scratch/tool.log")"
}

# check MODULE NAME CATEGORY: the suite's summary goes into a file; a failed check is not a failed run.
check() {
    mkdir -p "$scratch/$2"
    (cd "$scratch/$2" && timeout "$CATEGORY_SECONDS" "$TOOLS/bin/pkcs11-check" test --module "$1" --category "$3" \
        --skip-slow --output json --output-file "$3.json" >"$3.log" 2>&1) || true
}

table() {
    "$TOOLS/bin/python3" - "$scratch" "$@" <<'PYTHON'
import json, pathlib, sys

scratch, categories = pathlib.Path(sys.argv[1]), sys.argv[2:]
names = ("passed", "failed", "xfailed", "skipped")
broken, total = False, [0, 0]
print(f"{'':10}  {'SoftHSM2: pass fail xfail skip':>32}  {'hsm-sim: pass fail xfail skip':>32}")
for category in categories:
    rows = []
    for place, module in enumerate(("softhsm", "ours")):
        file = scratch / f"run-{module}" / f"{category}.json"
        summary = json.loads(file.read_text())["summary"] if file.exists() else None
        rows.append(summary)
        total[place] += summary["passed"] if summary else 0
    theirs, ours = rows
    show = lambda row: " ".join(f"{row[name]:5}" for name in names) if row else "no result"
    notes = []
    if ours is None or ours["crashed"] or ours["child_crash"] or ours["timeout"] or ours["error"]:
        notes.append("CRASH")
    if ours and theirs and ours["passed"] < theirs["passed"]:
        notes.append("FEWER")
    broken = broken or bool(notes) or theirs is None
    print(f"{category:10}  {show(theirs):>32}  {show(ours):>32}  {' '.join(notes)}")
print(f"{'passes':10}  {total[0]:>32}  {total[1]:>32}")
for category in categories:
    log = scratch / "run-ours" / f"{category}.log"
    lines = log.read_text().splitlines() if log.exists() else []
    for line in sorted({line for line in lines if line.startswith(("FAILED ", "ERROR ")) and "::" in line}):
        print(f"{category}: {line.split('testcases/')[-1]}")
sys.exit(broken)
PYTHON
}

main() {
    local categories=("$@")
    [ "${#categories[@]}" -gt 0 ] || categories=("${ALL[@]}")
    prepare
    binaries="${CARGO_TARGET_DIR:-$PWD/target}/debug"
    export SOFTHSM2_CONF=$scratch/softhsm2.conf JINKU_HSM_DIR=$scratch/ours JINKU_HSM_PROFILE=$PROFILE
    export P11TEST_PIN=$PIN P11TEST_SO_PIN=$PIN
    make_tokens
    pkcs11_tool
    local category
    for category in "${categories[@]}"; do
        check "$SOFTHSM" run-softhsm "$category"
        check "$binaries/libhsm_sim.so" run-ours "$category"
        echo "$category: done after $SECONDS s" >&2
    done
    table "${categories[@]}"
}

main "$@"
