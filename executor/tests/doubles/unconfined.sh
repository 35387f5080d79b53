#!/bin/sh
# Says of every fence but the filter of system calls that it stands, and would answer for all that.
. "${0%/*}/frame.sh"
greet process_group
cat >/dev/null
frame '{"answer":{"prepared":"runnable"},"code":[]}'
