#!/bin/sh
# Asks for a report: publish.sh NAME ID. The id makes it one, however often it is sent.
set -eu
printf 'header = "Authorization: Bearer %s"\n' "${MESS_KEY:-}" |
  curl --config - --silent --show-error --fail-with-body ${MESS_CA:+--cacert "$MESS_CA"} \
    --header 'Content-Type: text/plain' --header "Idempotency-Key: $2" --data "$1" \
    "${MESS_HTTP_URL:-https://localhost:8443}/v1/topics/reports%2Fwanted/messages"
echo
