#!/bin/sh
# Dies in the middle, as an engine that aborts does.
kill -ABRT $$
