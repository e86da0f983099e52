#!/bin/sh
# `npm test`: set-up, the checks, then every test that has a bound on its time. The last line is `N passed, N failed`.
# Arguments go to vitest, for example a path: sh tools/test.sh packages/wire
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh

results=node_modules/.cache/test-results.json
rm -f "$results"
checks=0
sh tools/check.sh || checks=$?
tests=0
node node_modules/vitest/vitest.mjs run --reporter=default --reporter=json --outputFile.json="$results" "$@" || tests=$?
exec node --import tsx tools/closing-line.ts "$results" "$checks" "$tests"
