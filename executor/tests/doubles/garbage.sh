#!/bin/sh
# Answers something that is no frame.
. "${0%/*}/frame.sh"
greet
cat >/dev/null
echo 'everything went well, pay me'
