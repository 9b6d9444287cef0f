#!/bin/sh
# Begin a new binary log, so that all older ones are complete.
set -eu
mysqladmin flush-binary-log
