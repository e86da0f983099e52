#!/bin/sh
# Installs the locked dependencies when they are missing or stale, and compiles what changed. Quiet unless it works or
# fails. Everything else in tools/ begins with it, so that a fresh clone needs nothing but Node and npm.
set -e
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null 2>&1; then
  echo "mess: Node.js is not installed, or not on the PATH. mess needs Node.js 20.19 or newer." >&2
  exit 69
fi
if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
  echo "mess: this is Node.js $(node --version); mess needs 20.19 or newer." >&2
  exit 69
fi

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  if ! command -v npm >/dev/null 2>&1; then
    echo "mess: npm is not installed, or not on the PATH; it fetches the dependencies of a fresh clone." >&2
    exit 69
  fi
  echo "mess: installing dependencies" >&2
  npm ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
fi

# The compiler takes a second only to find that nothing changed. A file that changed, came or went is newer than the
# stamp, or its folder is.
stamp=node_modules/.cache/mess-compiled
if [ -f "$stamp" ] && [ -f packages/cli/dist/main.js ]; then
  changed=$(find packages/*/src packages/*/package.json packages/*/tsconfig*.json tsconfig*.json package-lock.json -newer "$stamp" -print | head -n 1)
  [ -n "$changed" ] || exit 0
fi
mkdir -p node_modules/.cache
# Taken before compiling: what is saved meanwhile counts as changed at the next start.
: >"$stamp.next"
if [ -f "$stamp" ]; then echo "mess: compiling what changed" >&2; else echo "mess: compiling" >&2; fi
if ! node node_modules/typescript/bin/tsc -b >&2; then
  echo "mess: the source does not compile; the lines above say where." >&2
  exit 70
fi
mv "$stamp.next" "$stamp"
