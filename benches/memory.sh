#!/usr/bin/env bash
# Whether the gateway filter's memory is flat: so many requests of 1 MiB, five fields of each become tokens on its
# way in and values again on its way back, and the most memory that the filter ever held (VmHWM).
#
#     cargo build --release --workspace --bins && cargo build --release -p gateway-filter --examples
#     bash benches/memory.sh [--first N] [--requests N] [--growth KIB]
#
#   --first N      requests until the first look, 1 to 1000000; default 1000
#   --requests N   requests until the last look, more than --first; default 10000
#   --growth KIB   how much the most memory may grow between the two; default 16384
#
# The filter runs as a proxy, and as an external processor of a real Envoy in both body modes, over a vault in
# memory; 16 connections are busy. From the environment: JINKU_TEST_ENVOY, BENCH_BIN (see benches/gateway.sh).
# Exit code 0: every request was answered with 200, and no memory grew by more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BIN=${BENCH_BIN:-$PWD/target/release}
readonly ENVOY=${JINKU_TEST_ENVOY:-$(find .tools/envoy -type f -name envoy -size +10M -print -quit 2>/dev/null || true)}
first=1000
requests=10000
growth=16384

fail() {
    echo "$1" >&2
    exit 1
}

while [ "$#" -gt 0 ]; do
    case "$1" in
    -h | --help) sed -n '2,/^set -/s/^# \{0,1\}//p' benches/memory.sh && exit 0 ;;
    --first | --requests | --growth) [[ "${2:-}" =~ ^[0-9]+$ ]] || fail "$1 needs a number" ;;
    *) fail "unknown: $1" ;;
    esac
    case "$1" in
    --first) first=$2 ;;
    --requests) requests=$2 ;;
    --growth) growth=$2 ;;
    esac
    shift 2
done
((first >= 1 && requests > first && requests <= 1000000)) || fail "--requests is more than --first, which is 1 or more"
[ -x "$ENVOY" ] || fail "missing: Envoy 1.40 (bash tests/run.sh prepare, or JINKU_TEST_ENVOY=PATH)"
for program in bench_parts bench_load; do
    [ -x "$BIN/examples/$program" ] || fail "missing: $BIN/examples/$program; build it as the head of this file says"
done

folder=$(mktemp -d)
started=()
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

# launch NAME COMMAND...: in the background, its output in NAME.log.
launch() {
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
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

upstream=$(free_port)
python3 - "$folder" "$upstream" <<'PYTHON'
import json, sys
folder, upstream = sys.argv[1:]
fields = {"national_id": "A123456789", "name": "王測試", "mobile": "0900000789", "email": "wang@example.net",
          "address": "範例縣虛構鄉測試村1鄰樣本路100號"}
items = [{"no": number, "text": "goods " * 40, "amount": 12.5} for number in range(3700)]
body = json.dumps({"kind": "bench", "payer": fields, "items": items}, ensure_ascii=False).encode()
room = 1048576 - 64 - len(body)
assert 0 < room < 65536, room
# 1 MiB, but for what tokens may add.
open(f"{folder}/body.json", "wb").write(body[:-1] + b" " * room + b"}")
lines = [f'[vault]\nurl = "https://127.0.0.1:1"\nca = "unused"\n[proxy]\nupstream = "http://127.0.0.1:{upstream}"',
         '[[route]]\nname = "both"\nmethod = "POST"\npath = "/both"\ndomain = "city"\npurpose = "bench"']
for name in fields:
    place = f'field = "$.payer.{name}"\n'
    lines.append(f'[[route.request]]\n{place}class = "{name.replace("_", "-")}"\naction = "tokenize"')
    lines.append(f'[[route.response]]\n{place}action = "detokenize"')
open(f"{folder}/filter.toml", "w").write("\n".join(lines) + "\n")
PYTHON
launch echo "$BIN/examples/bench_parts" echo "127.0.0.1:$upstream"
ready "$upstream" echo

peak() {
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

bad=0
printf '%-16s %14s %14s %10s %7s\n' form "KiB at $first" "KiB at $requests" grown failed
for form in proxy ext-proc duplex; do
    port=$(free_port)
    command=$([ "$form" = proxy ] && echo proxy || echo ext-proc)
    launch "$form" "$BIN/examples/bench_parts" "$command" "127.0.0.1:$port" "$folder/filter.toml"
    filter=${started[-1]}
    ready "$port" "$form"
    if [ "$form" != proxy ]; then
        example=envoy.yaml
        [ "$form" = ext-proc ] || example=envoy-duplex.yaml
        processor=$port
        port=$(free_port)
        sed -e "s/@LISTEN_PORT@/$port/; s/@UPSTREAM_PORT@/$upstream/; s/@ADMIN_PORT@/$(free_port)/" \
            -e "s/@EXT_PROC_PORT@/$processor/" "gateway-filter/examples/$example" >"$folder/$form.yaml"
        launch "$form-envoy" "$ENVOY" --concurrency 1 --use-dynamic-base-id --log-level warn -c "$folder/$form.yaml"
        ready "$port" "$form-envoy"
    fi
    lost=$("$BIN/examples/bench_load" http "127.0.0.1:$port" /both "$folder/body.json" "$first")
    before=$(peak "$filter")
    more=$("$BIN/examples/bench_load" http "127.0.0.1:$port" /both "$folder/body.json" $((requests - first)))
    after=$(peak "$filter")
    printf '%-16s %14d %14d %10d %7d\n' "$form" "$before" "$after" $((after - before)) $((lost + more))
    ((lost + more == 0 && after - before <= growth)) || bad=1
done
exit "$bad"
