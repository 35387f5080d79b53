#!/bin/sh
# Reads and never answers; a descendant holds the pipe, too.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
sleep 600 &
printf 'ASY1'
wait
