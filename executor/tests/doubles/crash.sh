#!/bin/sh
# Dies in the middle, as an engine that aborts does.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
kill -ABRT $$
