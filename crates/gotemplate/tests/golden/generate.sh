#!/bin/sh
# Writes the expected results of the golden cases with Go's own text/template (Go 1.19, as in
# Debian 12: apt-get install golang-go). Needs no network.
set -eu
cd "$(dirname "$0")/generate"
GOFLAGS=-mod=mod GOPROXY=off GO111MODULE=on go run . ../cases
