#!/usr/bin/env bash
# Initialisation script for a VSCode or Jupyter service of an Onyxia (SSP Cloud): installs Bourg, brings the official
# files of your bucket, builds the snapshot, opens the observatory on port 8501 (proxied by the service).
#   BOURG_REPOSITORY  address of the repository to clone (or a folder already cloned)
#   BOURG_S3          s3://bucket/folder of official files; without it, the demonstration
set -euo pipefail
: "${BOURG_REPOSITORY:?adresse du dépôt à cloner}"
WORK="${BOURG_WORK:-$HOME/work}"
export BOURG_HOME="${BOURG_HOME:-$WORK/bourg-donnees}"
mkdir -p "$WORK" "$BOURG_HOME"
if [ -d "$BOURG_REPOSITORY/src/bourg" ]; then
  CODE="$BOURG_REPOSITORY"
else
  CODE="$WORK/bourg"
  [ -d "$CODE/.git" ] || git clone --depth 1 "$BOURG_REPOSITORY" "$CODE"
fi
cd "$CODE"
make install
if [ -n "${BOURG_S3:-}" ]; then
  MIRROR="$BOURG_HOME/miroir"
  mkdir -p "$MIRROR"
  # Both clients are on the images of the SSP Cloud, with the credentials of the user in the environment.
  if command -v mc >/dev/null 2>&1; then
    mc mirror --quiet --overwrite "s3/${BOURG_S3#s3://}" "$MIRROR"
  elif command -v aws >/dev/null 2>&1; then
    aws s3 sync --no-progress ${AWS_S3_ENDPOINT:+--endpoint-url "https://$AWS_S3_ENDPOINT"} "$BOURG_S3" "$MIRROR"
  else
    echo "Ni mc ni aws : impossible de lire $BOURG_S3" >&2
    exit 1
  fi
  .venv/bin/bourg build --mirror "$MIRROR"
else
  .venv/bin/bourg demo
fi
if [ "${BOURG_OPEN:-1}" = 1 ]; then
  nohup .venv/bin/bourg serve --host 0.0.0.0 --port 8501 >"$BOURG_HOME/serveur.log" 2>&1 &
  echo "L'observatoire répondra sur le port 8501 (journal : $BOURG_HOME/serveur.log)"
fi
