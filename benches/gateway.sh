#!/usr/bin/env bash
# The gateway filter's forms against plain Envoy: the same load, the same machine, the same run.
#
#     cargo build --release --workspace --bins --lib && cargo build --release -p gateway-filter --examples
#     bash benches/gateway.sh [--seconds N] [--rounds N] [--apart] [--case NAME]... [--side NAME]...
#
#   --seconds N   of one measurement, 1 to 60; default 3
#   --rounds N    measurements of each case and side, 1 to 15; the table shows medians; default 5
#   --connections N   that wrk keeps busy, 1 to 256; default 16. With one, nothing waits for another: `- put-back`
#                 is then the filter's own time, and not the time that others take before it
#   --apart       the vault and its HSM have the first processor, all else has the others: as on two machines, where
#                 a gateway takes nothing from the vault
#   --case NAME   in-1k, in-64k: five fields become tokens on their way in; both-1k, both-64k: and values again
#                 on their way back; default: all four
#   --side NAME   default: all of these
#       upstream      no gateway at all
#       envoy         Envoy alone: what the ratios are to
#       no-op         Envoy and an external processor that is shown all and changes nothing
#       put-back      the same, but it answers with the body that it was shown: what handing a body over and taking it
#                     back costs
#       ext-proc      Envoy and the filter, bodies whole (BUFFERED), over a vault in memory
#       duplex        Envoy and the filter, bodies in parts (FULL_DUPLEX_STREAMED), over a vault in memory
#       proxy         the filter as a proxy, over a vault in memory
#       ext-proc-vault, proxy-vault, module-vault   the same, and the module within Envoy, over Jinku's vault
#                     with its HSM simulator, ledger and policies; only in-1k and in-64k
#       vault-grpc    no gateway and no HTTP: the same calls of five values straight to that vault, over as many
#                     connections; what the ratios `/ vault` are to
#
# A vault in memory answers at once, so `ext-proc` less `put-back` is the filter's own time. `cpu us` is the processor's
# time that a side's own processes take for one request: Envoy with its filter, or the vault for `vault-grpc`; neither wrk's
# nor the upstream's, which share the processors. From the environment:
# JINKU_TEST_ENVOY (an Envoy 1.40; `bash tests/run.sh prepare` gets one into .tools), BENCH_BIN (where the
# programs are; default target/release), BENCH_FOLDER (a real disk for the vault; default: the system's
# temporary folder).
#
# wrk keeps its connections busy from 1 thread, Envoy has one worker. All share the machine's processors: rates of
# two machines can't be compared, ratios of one run can. Rounds alternate between the sides. Everything listens on
# loopback and ends with the script, by its process id. Exit code 0: every request was answered with 200.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly ALL_SIDES=(upstream envoy no-op put-back ext-proc duplex proxy vault-grpc ext-proc-vault proxy-vault module-vault)
readonly ALL_CASES=(in-1k in-64k both-1k both-64k)
readonly BIN=${BENCH_BIN:-$PWD/target/release}
readonly ENVOY=${JINKU_TEST_ENVOY:-$(find .tools/envoy -type f -name envoy -size +10M -print -quit 2>/dev/null || true)}

seconds=3
rounds=5
connections=16
apart=
sides=()
cases=()

fail() {
    echo "$1" >&2
    exit 1
}

while [ "$#" -gt 0 ]; do
    case "$1" in
    -h | --help) sed -n '2,/^set -/s/^# \{0,1\}//p' benches/gateway.sh && exit 0 ;;
    --apart) apart=yes && shift && continue ;;
    --seconds | --rounds | --connections | --case | --side) [ "$#" -ge 2 ] || fail "$1 needs a value" ;;
    *) fail "unknown: $1" ;;
    esac
    case "$1" in
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --connections) connections=$2 ;;
    --case) cases+=("$2") ;;
    --side) sides+=("$2") ;;
    esac
    shift 2
done
[[ "$seconds" =~ ^[0-9]+$ ]] && ((seconds >= 1 && seconds <= 60)) || fail "--seconds is 1 to 60"
[[ "$rounds" =~ ^[0-9]+$ ]] && ((rounds >= 1 && rounds <= 15)) || fail "--rounds is 1 to 15"
[[ "$connections" =~ ^[0-9]+$ ]] && ((connections >= 1 && connections <= 256)) || fail "--connections is 1 to 256"
[ "${#sides[@]}" -gt 0 ] || sides=("${ALL_SIDES[@]}")
[ "${#cases[@]}" -gt 0 ] || cases=("${ALL_CASES[@]}")
for name in "${sides[@]}"; do [[ " ${ALL_SIDES[*]} " == *" $name "* ]] || fail "no such side: $name"; done
for name in "${cases[@]}"; do [[ " ${ALL_CASES[*]} " == *" $name "* ]] || fail "no such case: $name"; done
command -v wrk >/dev/null || fail "missing: wrk (sudo apt-get install wrk)"
[ -x "$ENVOY" ] || fail "missing: Envoy 1.40 (bash tests/run.sh prepare, or JINKU_TEST_ENVOY=PATH)"
for program in jinku jinku-filter examples/bench_parts examples/bench_load; do
    [ -x "$BIN/$program" ] || fail "missing: $BIN/$program; build it as the head of this file says"
done

folder=$(mktemp -d -p "${BENCH_FOLDER:-${TMPDIR:-/tmp}}")
started=()
# The process ids of each side.
declare -A own
finish() {
    local status=$?
    trap - EXIT INT TERM
    local id
    for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done
    for id in "${started[@]}"; do wait "$id" 2>/dev/null || true; done
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# launch NAME COMMAND...: in the background, its output in NAME.log. What is called SIDE-parts is of that side too.
launch() {
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
    own[${name%-parts}]+=" $!"
}

# ready PORT NAME: until somebody listens there.
ready() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    cat "$folder/$2.log" >&2
    fail "$2 does not listen"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The processors of the vault's machine and of the gateway's.
if [ -n "$apart" ]; then
    command -v taskset >/dev/null || fail "missing: taskset (util-linux)"
    (($(nproc) >= 2 )) || fail "--apart needs two processors"
    taskset -pc "1-$(($(nproc) - 1))" $$ >/dev/null
    at_vault=(taskset -c 0)
else
    at_vault=()
fi

uses() {
    [[ " ${sides[*]} " == *" $1 "* ]]
}

# The bodies: five fields that the routes name, and as much else as makes the size.
python3 - "$folder" <<'PYTHON'
import json, sys
fields = {"national_id": "A123456789", "name": "王測試", "mobile": "0900000789", "email": "wang@example.net",
          "address": "範例縣虛構鄉測試村1鄰樣本路100號"}
for name, size in (("1k", 1024), ("64k", 65536)):
    items, body = [], ""
    while len(body.encode()) < size - 60:
        items.append({"no": len(items), "text": "goods " * 5, "amount": 12.5})
        body = json.dumps({"kind": "bench", "payer": fields, "items": items}, ensure_ascii=False)
    open(f"{sys.argv[1]}/{name}.json", "w").write(body)
PYTHON

upstream=$(free_port)
launch echo "$BIN/examples/bench_parts" echo "127.0.0.1:$upstream"
ready "$upstream" echo

# settings FILE UPSTREAM: routes of the two kinds of cases; the machine's own part comes from stdin.
routes() {
    local kind side field
    for kind in in both; do
        printf '[[route]]\nname = "%s"\nmethod = "POST"\npath = "/%s"\ndomain = "city"\npurpose = "bench"\n' "$kind" "$kind"
        for side in request response; do
            [ "$side.$kind" != response.in ] || continue
            for field in national_id:national-id name:name mobile:mobile email:email address:address; do
                printf '[[route.%s]]\nfield = "$.payer.%s"\n' "$side" "${field%%:*}"
                if [ "$side" = request ]; then
                    printf 'class = "%s"\naction = "tokenize"\n' "${field##*:}"
                else
                    printf 'action = "detokenize"\n'
                fi
            done
        done
    done
}

{
    printf '[vault]\nurl = "https://127.0.0.1:1"\nca = "unused"\n[proxy]\nupstream = "http://127.0.0.1:%s"\n' "$upstream"
    routes
} >"$folder/memory.toml"

# envoy_of SIDE PROCESSOR_PORT: runs an Envoy for the side, and sets its port.
declare -A port
envoy_of() {
    local side=$1 processor=$2 example=envoy.yaml
    [ "$side" != duplex ] || example=envoy-duplex.yaml
    [ "$side" != module-vault ] || example=envoy-module.yaml
    port[$side]=$(free_port)
    sed -e "s/@LISTEN_PORT@/${port[$side]}/; s/@UPSTREAM_PORT@/$upstream/; s/@ADMIN_PORT@/$(free_port)/" \
        -e "s/@EXT_PROC_PORT@/$processor/; s,@FILTER_TOML@,$folder/city/bench.toml," \
        "gateway-filter/examples/$example" >"$folder/$side.yaml"
    if [ "$side" = envoy ]; then
        python3 - "$folder/$side.yaml" <<'PYTHON'
import sys
text = open(sys.argv[1]).read()
start = text.index("          - name: envoy.filters.http.ext_proc")
end = text.index("          - name: envoy.filters.http.router")
open(sys.argv[1], "w").write(text[:start] + text[end:])
PYTHON
    fi
    ENVOY_DYNAMIC_MODULES_SEARCH_PATH=$BIN launch "$side" "$ENVOY" --concurrency 1 --use-dynamic-base-id \
        --log-level warn -c "$folder/$side.yaml"
    ready "${port[$side]}" "$side"
}

if uses vault-grpc || uses ext-proc-vault || uses proxy-vault || uses module-vault; then
    vault=$(free_port)
    "$BIN/jinku" init "$folder/city" --listen "127.0.0.1:$vault" --gateway "127.0.0.1:$(free_port)" \
        --upstream "127.0.0.1:$upstream" >"$folder/init.log" 2>&1 || { cat "$folder/init.log" >&2 && fail "jinku init"; }
    # The load is one unit's: its rate is not what is measured.
    sed -i 's/^requests_per_second = .*/requests_per_second = 1000000/' "$folder/city/policies/units.toml"
    export JINKU_HSM_DIR="$folder/city/hsm"
    launch hsm "${at_vault[@]}" "$BIN/jinku-hsm" serve --ready-file "$folder/hsm.ready"
    for ((tries = 0; tries < 600; tries++)); do [ ! -e "$folder/hsm.ready" ] || break && sleep 0.05; done
    launch vault "${at_vault[@]}" "$BIN/jinku" serve --config "$folder/city/jinku.toml"
    ready "$vault" vault
    {
        printf '[vault]\nurl = "https://localhost:%s"\nca = "tls/ca.pem"\n' "$vault"
        printf 'certificate = "tls/city-gateway.pem"\nkey = "tls/city-gateway-key.pem"\n'
        printf '[proxy]\nupstream = "http://127.0.0.1:%s"\n' "$upstream"
        routes
    } >"$folder/city/bench.toml"
fi

for side in "${sides[@]}"; do
    processor=$(free_port)
    case "$side" in
    upstream) port[upstream]=$upstream ;;
    envoy | module-vault) envoy_of "$side" "$processor" ;;
    no-op | put-back) launch "$side-parts" "$BIN/examples/bench_parts" "$side" "127.0.0.1:$processor" ;;
    ext-proc | duplex)
        launch "$side-parts" "$BIN/examples/bench_parts" ext-proc "127.0.0.1:$processor" "$folder/memory.toml"
        ;;
    ext-proc-vault)
        launch "$side-parts" "$BIN/jinku-filter" ext-proc --config "$folder/city/bench.toml" --listen "127.0.0.1:$processor"
        ;;
    proxy) launch proxy "$BIN/examples/bench_parts" proxy "127.0.0.1:$processor" "$folder/memory.toml" ;;
    proxy-vault) launch proxy-vault "$BIN/jinku-filter" proxy --config "$folder/city/bench.toml" --listen "127.0.0.1:$processor" ;;
    esac
    case "$side" in
    no-op | put-back | ext-proc | duplex | ext-proc-vault) ready "$processor" "$side-parts" && envoy_of "$side" "$processor" ;;
    proxy | proxy-vault) ready "$processor" "$side" && port[$side]=$processor ;;
    esac
done

cat >"$folder/load.lua" <<'LUA'
local file = assert(io.open(os.getenv("BENCH_BODY")))
wrk.method, wrk.body = "POST", file:read("a")
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer " .. os.getenv("BENCH_UNIT")
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    print(string.format("RESULT %.0f %.0f %.0f %d", summary.requests / summary.duration * 1e6,
        latency:percentile(50), latency:percentile(99), failed))
end
LUA

# processor_us SIDE: what its processes have taken of the processors so far, in microseconds.
processor_us() {
    local side=$1 id total=0
    [ "$side" != upstream ] || side=echo
    [ "$side" != vault-grpc ] || side=vault
    for id in ${own[$side]}; do
        total=$((total + $(awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15) * int(1e6 / hertz) }' "/proc/$id/stat")))
    done
    echo "$total"
}

# measure SIDE CASE SECONDS: requests a second, p50 and p99 in microseconds, failures.
measure() {
    local unit=bench
    # Tokens of units live for minutes; a run may take longer.
    [[ "$1" != *vault* ]] || unit=$("$BIN/jinku" mint "$folder/city" service-counter)
    if [ "$1" = vault-grpc ]; then
        "$BIN/examples/bench_load" vault "$folder/city/bench.toml" "$unit" "$connections" "$3" | sed -n 's/^RESULT //p'
        return
    fi
    BENCH_BODY="$folder/${2#*-}.json" BENCH_UNIT="$unit" wrk -t1 -c"$connections" -d"${3}s" \
        -s "$folder/load.lua" "http://127.0.0.1:${port[$1]}/${2%-*}" | sed -n 's/^RESULT //p'
}

: >"$folder/results"
for case in "${cases[@]}"; do
    for ((round = 0; round < rounds; round++)); do
        for side in "${sides[@]}"; do
            [[ "$side.$case" != *vault*.both-* ]] || continue
            measure "$side" "$case" 1 >/dev/null
            before=$(processor_us "$side")
            line=$(measure "$side" "$case" "$seconds")
            echo "$side $case $line $((($(processor_us "$side") - before) / seconds))" >>"$folder/results"
        done
    done
done

python3 - "$folder/results" <<'PYTHON'
import sys
from statistics import median
rows = {}
for line in open(sys.argv[1]):
    side, case, rate, p50, p99, failed, busy = line.split()
    rows.setdefault(case, {}).setdefault(side, []).append((int(rate), int(p50), int(p99), int(busy) / max(int(rate), 1), int(failed)))
failed = 0
print(f"{'case':9} {'side':15} {'req/s':>9} {'/ envoy':>8} {'/ vault':>8} {'p50 us':>8} {'- no-op':>8} {'- put-back':>10} {'p99 us':>8} {'cpu us':>7} {'failed':>7}")
for case, sides in rows.items():
    middle = {side: [median(column) for column in zip(*runs)] for side, runs in sides.items()}
    for side, (rate, p50, p99, busy, _) in middle.items():
        ratio = f"{rate / middle['envoy'][0]:.2f}" if "envoy" in middle else "-"
        alone = "vault-grpc" in middle and side.endswith("-vault")
        share = f"{rate / middle['vault-grpc'][0]:.2f}" if alone else "-"
        over, back = (f"{p50 - middle[beside][1]:+.0f}" if beside in middle else "-" for beside in ("no-op", "put-back"))
        bad = sum(run[4] for run in sides[side])
        failed += bad
        print(f"{case:9} {side:15} {rate:9.0f} {ratio:>8} {share:>8} {p50:8.0f} {over:>8} {back:>10} {p99:8.0f} {busy:7.0f} {bad:7}")
sys.exit(1 if failed else 0)
PYTHON
