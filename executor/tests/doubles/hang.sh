#!/bin/sh
# Reads and never answers; a descendant holds the pipe, too, and says who it is.
cat >/dev/null
sleep 600 &
printf 'ASY1'
wait
