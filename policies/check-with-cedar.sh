#!/usr/bin/env bash
# Has the official `cedar` command (crate cedar-policy-cli) validate the shipped policy sets against the schema.
# It takes minutes to build: `cargo install cedar-policy-cli --locked --version '^4'`.
set -euo pipefail
cd "$(dirname "$0")"
command -v cedar >/dev/null || {
    echo "missing: cedar. Get it with: cargo install cedar-policy-cli --locked" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for set in . examples/bank; do
    # One file: the command takes no folder. Templates are validated as they are.
    cat "$set"/policies/*.cedar >"$scratch/policies.cedar"
    echo "$set"
    cedar validate --schema "$set/schema.cedarschema" --policies "$scratch/policies.cedar" --deny-warnings
done
