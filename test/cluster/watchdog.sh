#!/bin/sh
# Outlives the process that started a control plane by a moment, and leaves nothing of it behind: no process, no file.
# Standard input is a pipe from that process. However it ends, also by SIGKILL, the pipe closes and `cat` comes back.
# $1 is the directory of the control plane; each component has written its process id into pids/ before it became what
# it is (see component.ts), so none can be missed, and none can start once pids/ is renamed.
directory=$1
cat >/dev/null
mv "$directory/pids" "$directory/gone" 2>/dev/null || exit 0
for file in "$directory"/gone/*; do
  [ -e "$file" ] || continue
  pid=
  tries=0
  # A component that was starting in this very moment has opened its file but not written it yet.
  until read -r pid <"$file" || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
  done
  [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
done
# A process that is being killed may still create a file.
tries=0
until rm -rf "$directory" 2>/dev/null || [ $tries -ge 100 ]; do
  tries=$((tries + 1))
  sleep 0.05
done
