#!/bin/sh
# Makes the token of the gateway and the password of Grafana (user admin) where they are absent.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
for name in penstock_token grafana_password; do
  # Containers read them as users of their own: the folder keeps others out.
  [ -s "secrets/$name" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$name"
  chmod 644 "secrets/$name"
done
