#!/bin/sh
until curl -s "http://${CONSUL_HOST}:8500/v1/health/service/db" | grep -q passing; do
  echo "the database is not healthy yet"
  sleep 0.2
done
echo "the database is healthy"
