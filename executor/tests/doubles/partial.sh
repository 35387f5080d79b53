#!/bin/sh
# Begins a frame and ends.
cat >/dev/null
printf 'ASY1\020\000\000\000'
