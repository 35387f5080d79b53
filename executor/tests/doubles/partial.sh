#!/bin/sh
# Begins a frame and ends.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
printf 'ASY1\020\000\000\000'
