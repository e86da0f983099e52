#!/bin/sh
# Installs the locked dependencies when they are missing or stale, and compiles. Quiet unless it fails.
set -e
cd "$(dirname "$0")/.."
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "mess: installing dependencies" >&2
  npm ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
fi
node node_modules/typescript/bin/tsc -b
