#!/usr/bin/env bash
# What the steps of the kernel's own end-to-end test of IPVS have in common; sourced, with the words of the script that
# does it: the command that manages the director's table. TAKE_DOWN is run in the director at the end.
# The script says `hosts`, and has `wrong` for its exit status.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ipvsadm=("$@")
dir=$(mktemp -d)
server=
wrong=0

namespace() { echo "selftest-$$-$1"; }
in_host() { ip netns exec "$(namespace "$1")" "${@:2}"; }

clean_up() {
  [[ -z $server ]] || kill "$server"
  [[ -z ${TAKE_DOWN:-} ]] || in_host director $TAKE_DOWN || true
  for host in "${hosts[@]}"; do ip netns delete "$(namespace "$host")" || true; done
  rm -r "$dir"
}
trap clean_up EXIT

serve() {
  head -c 1000000 /dev/urandom >"$dir/file"
  # Without in_host, so that what is ended is the server and not a shell that waits for it.
  ip netns exec "$(namespace server)" python3 -B "$here/sending.py" serve "$dir/file" "$dir/ready" &
  server=$!
  until [[ -e $dir/ready ]]; do
    kill -0 "$server" || exit 1
    sleep 0.05
  done
}

# command_line WORDS...: manage the director's table.
command_line() {
  local status=0
  echo "\$ ipvsadm $*"
  in_host director "${ipvsadm[@]}" "$@" 2>&1 | sed 's/^/| /' || status=$?
  ((status == 0)) || echo "= $status"
}

# fetches HOW ADDRESS: the client fetches, and it goes as it should: `the file`, or `refused`.
fetches() {
  local how
  how=$(in_host client python3 -B "$here/sending.py" fetch "$dir/file" "$2")
  if [[ $how == "$1" ]]; then echo "client, port 8080 of $2: $how"; else
    echo "client, port 8080 of $2: $how; it should have been: $1"
    wrong=1
  fi
}
