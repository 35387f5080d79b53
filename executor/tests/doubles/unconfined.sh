#!/bin/sh
# Says of every fence but the filter of system calls that it stands, and would answer for all that.
. "${0%/*}/frame.sh"
greet system_calls 38
cat >/dev/null
frame '{"prepared":"runnable"}'
