#!/bin/sh
# Writes the expected results of the cases in go/ with Go's own libraries, as in Debian 12:
# apt-get install golang-go golang-gopkg-yaml.v2-dev golang-github-burntsushi-toml-dev
# Needs no network.
set -eu
cd "$(dirname "$0")"
GO111MODULE=off GOPATH=/usr/share/gocode go run generate/main.go go
