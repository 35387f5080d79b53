#!/bin/sh
# Announces a header of 4 GiB.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
printf 'ASY1\377\377\377\377\000\000\000\000\000\000\000\000'
