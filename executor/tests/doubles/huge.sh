#!/bin/sh
# Announces a header of 4 GiB.
cat >/dev/null
printf 'ASY1\377\377\377\377\000\000\000\000\000\000\000\000'
