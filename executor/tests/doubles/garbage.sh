#!/bin/sh
# Answers something that is no frame.
cat >/dev/null
echo 'everything went well, pay me'
