#!/usr/bin/env bash
# Four nodes of 64 cores for a day: sbatch examples/cluster/slurm.sh
# A day that was not enough goes on: submit it again. The study lies in runs/ of the folder it was submitted from.
#SBATCH --job-name=nas
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=INT@120
set -euo pipefail

. .venv/bin/activate # on a file system that all nodes see, with nas and Ray in it: pip install '.[ray]'

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000)) # nodes may be shared with somebody else's head
address="$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port"

# Everybody who can reach the head could run code there: only who has this token may.
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token

# Starts Ray on every node, the search on the first of them, and ends all when the search ends.
srun ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
  nas search --budget 20000 --target 0.994 --epochs 20 --executor ray --ray-address "$address" "$@"
