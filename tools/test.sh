#!/bin/sh
# `npm test`: set-up, then every test that has a bound on its time.
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
node node_modules/vitest/vitest.mjs run
