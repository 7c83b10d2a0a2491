#!/usr/bin/env bash
# A run on all hosts of a TPU slice (Cloud TPU VM): the same command on each; JAX finds the slice by itself.
#
#   scripts/launch/tpu.sh my-v5e-32 us-west4-a experiments.sweep --sweep='l2=logspace(-5,-1,100)' \
#     --seeds=10 --workdir=/mnt/shared/sweep
#
# Before: the checkout in ~/regjax on every host, with .venv made by `pip install '.[tpu]'`, and --workdir on a
# file system that all hosts see. A run that was preempted goes on with the same line and --resume.
set -euo pipefail
if [ "$#" -lt 3 ]; then
  echo "usage: scripts/launch/tpu.sh NAME ZONE MODULE [flags]" >&2
  exit 2
fi
name=$1 zone=$2 module=$3
shift 3
command="cd ~/regjax && .venv/bin/python -m $module --distributed"
for flag in "$@"; do
  command+=" $(printf '%q' "$flag")"
done
exec gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all --command="$command"
