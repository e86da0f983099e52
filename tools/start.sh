#!/bin/sh
# `npm start`: everything a fresh clone needs, then the broker, with the options given after `--`.
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
exec packages/cli/bin/mess serve "$@"
