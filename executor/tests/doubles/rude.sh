#!/bin/sh
# Greets with something else.
. "${0%/*}/frame.sh"
frame '{"answer":{"prepared":"runnable"},"code":[]}'
cat >/dev/null
