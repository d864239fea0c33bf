#!/bin/sh
# Starts the observatory: the libraries of the map are put beside the data when the volume is new, then the server runs.
set -eu
: "${BOURG_HOME:=/data}" "${BOURG_HOST:=0.0.0.0}" "${BOURG_PORT:=8501}"
export BOURG_HOME
if [ -d /opt/bourg/assets ] && [ ! -d "$BOURG_HOME/assets" ]; then
  mkdir -p "$BOURG_HOME"
  cp -r /opt/bourg/assets "$BOURG_HOME/.assets.part"
  mv "$BOURG_HOME/.assets.part" "$BOURG_HOME/assets"
fi
# From the folder of app.py, where Streamlit finds its settings; without a snapshot, a page shows the preparation.
cd /app
exec python -m streamlit run app.py --server.address "$BOURG_HOST" --server.port "$BOURG_PORT" "$@"
