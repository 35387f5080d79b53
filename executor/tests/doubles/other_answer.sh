#!/bin/sh
# A well-formed frame that answers nothing that was asked: {"prepared":"runnable"} to a request to run.
cat >/dev/null
printf 'ASY1\027\000\000\000\000\000\000\000\000\000\000\000{"prepared":"runnable"}'
