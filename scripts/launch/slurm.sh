#!/usr/bin/env bash
# A run over several processes under Slurm: one process for each GPU, or for each node without GPUs.
#
#   sbatch --nodes=4 --ntasks-per-node=8 --gpus-per-node=8 scripts/launch/slurm.sh \
#     experiments.sweep --sweep='l2=logspace(-5,-1,100)' --seeds=10 --workdir=/shared/runs/sweep
#
# Submit it from the checkout. JAX finds the processes, the coordinator and its port from the environment of the job
# step. --workdir has to be a directory that all nodes see. Slurm sends SIGTERM 60 seconds before the time is up: the run
# saves and exits with 75; submit the same line with --resume to go on.
#SBATCH --job-name=regjax
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@60
#SBATCH --open-mode=append
set -euo pipefail
if [ "$#" -lt 1 ]; then
  echo "usage: sbatch [options] scripts/launch/slurm.sh MODULE [flags]" >&2
  exit 2
fi
cd "${SLURM_SUBMIT_DIR:-.}"
module=$1
shift
exec srun --kill-on-bad-exit=0 "${REGJAX_PYTHON:-.venv/bin/python}" -m "$module" --distributed "$@"
