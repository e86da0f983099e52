#!/bin/sh
# `npm start`: everything a fresh clone needs, then the broker.
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
exec packages/cli/bin/mess serve "$@"
