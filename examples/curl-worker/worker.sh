#!/bin/sh
# Works off the declared subscription "reports" with curl and nothing else.
set -eu
subscription="${MESS_HTTP_URL:-https://localhost:8443}/v1/subscriptions/reports"

# ask VERB JSON. The key goes through a pipe: what stands on a command line is read by everybody on the machine.
ask() {
  printf 'header = "Authorization: Bearer %s"\n' "${MESS_KEY:-}" |
    curl --config - --silent --show-error --fail-with-body --max-time 60 ${MESS_CA:+--cacert "$MESS_CA"} \
      --header 'Content-Type: application/json' --data "$2" "$subscription/$1"
}

# The text of a field. Good for the plain words of this example; take jq for more.
field() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

make_report() {
  [ "$1" != broken ] && echo "report: $1"
}

echo working
while true; do
  # One message, which is then ours until its lease ends; an empty answer when none came in five seconds.
  message=$(ask pull '{"max":1,"waitMs":5000}') || { sleep 1; continue; }
  token=$(printf '%s' "$message" | field token)
  [ -n "$token" ] || continue
  if make_report "$(printf '%s' "$message" | field payload)"; then
    ask ack "{\"tokens\":[\"$token\"]}" >/dev/null
  else
    ask nack "{\"tokens\":[\"$token\"],\"reason\":\"the report cannot be made\"}" >/dev/null
  fi
done
