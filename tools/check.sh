#!/bin/sh
# Everything that can be found wrong without running the code. Runs all of it, so that one round shows everything.
# Exits with the number of checks that failed.
cd "$(dirname "$0")/.." || exit 1
failed=0

check() {
  name=$1
  shift
  if "$@"; then
    echo "check: $name ok"
  else
    echo "check: $name FAILED"
    failed=$((failed + 1))
  fi
}

check tidy node --import tsx tools/tidy.ts
check dependencies node --import tsx tools/check-dependencies.ts
check "generated pages" node --import tsx tools/generate-docs.ts --check
check "signing vectors" node --import tsx tools/signing-vectors.ts --check
check types node node_modules/typescript/bin/tsc -p tsconfig.check.json
check lint node node_modules/@biomejs/biome/bin/biome lint --diagnostic-level=error --max-diagnostics=100
exit "$failed"
