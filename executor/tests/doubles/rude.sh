#!/bin/sh
# Greets with something else.
. "${0%/*}/frame.sh"
frame '{"prepared":"runnable"}'
cat >/dev/null
