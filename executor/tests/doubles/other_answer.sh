#!/bin/sh
# A well-formed frame that answers nothing that was asked, if it was asked to run.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
frame '{"prepared":"runnable"}'
