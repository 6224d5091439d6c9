# What the steps of this directory have in common; sourced by each, with the arguments that it was called with.
#
#   NAME.sh IPVSADM...      the command that manages the director's table: ipvsadm, or
#                           `directrix ipvsadm`; TAKE_DOWN is run in the director at the end
#
# Each prints what was asked and what came of it, and exits 0 if every fetch went as it should.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
prefix=$(basename "$0" .sh | tr _ -)-$$
ipvsadm=("$@")
hosts=(client director server bridge)
dir=$(mktemp -d)
server=
wrong=0

in_host() { ip netns exec "$prefix-$1" "${@:2}"; }

clean_up() {
  [[ -z $server ]] || kill "$server"
  [[ -z ${TAKE_DOWN:-} ]] || in_host director $TAKE_DOWN || true
  for host in "${hosts[@]}"; do ip netns delete "$prefix-$host" || true; done
  rm -r "$dir"
}
trap clean_up EXIT

# hosts_and_bridge: the hosts, not connected yet, and the bridge.
hosts_and_bridge() {
  local host
  for host in "${hosts[@]}"; do
    ip netns add "$prefix-$host"
    in_host "$host" ip link set lo up
  done
  in_host bridge ip link add bridge up type bridge forward_delay 0
}

# at_bridge HOST DEVICE NUMBER: a device of a host at the bridge; it ends with this number in 198.51.100.0/24 and 2001:db8::/64.
at_bridge() {
  in_host "$1" ip link add "$2" type veth peer name "$1" netns "$prefix-bridge"
  in_host bridge ip link set "$1" master bridge up
  in_host "$1" ip link set "$2" up
  in_host "$1" ip address add "198.51.100.$3/24" dev "$2"
  in_host "$1" ip address add "2001:db8::$3/64" dev "$2" nodad
}

# behind_director: a wire from the director to the server, 203.0.113.0/24 and 2001:db8:1::/64.
behind_director() {
  local host number
  in_host director ip link add back type veth peer name eth0 netns "$prefix-server"
  for host in director:back:1 server:eth0:11; do
    IFS=: read -r host device number <<<"$host"
    in_host "$host" ip link set "$device" up
    in_host "$host" ip address add "203.0.113.$number/24" dev "$device"
    in_host "$host" ip address add "2001:db8:1::$number/64" dev "$device" nodad
  done
}

# director_answers: the VIP at the director, which answers for it.
director_answers() {
  in_host director ip address add 198.51.100.100/24 dev eth0
  in_host director ip address add 2001:db8::100/64 dev eth0 nodad preferred_lft 0
  in_host director sysctl -qw net.ipv4.ip_forward=1
}

# server_is_silent: the VIP at the server, which only takes what is for it.
server_is_silent() {
  in_host server sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  in_host server sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
  in_host server ip address add 198.51.100.100/32 dev lo
  in_host server ip address add 2001:db8::100/128 dev lo nodad
}

serve() {
  head -c 1000000 /dev/urandom >"$dir/file"
  # Without in_host, so that what is ended is the server and not a shell that waits for it.
  ip netns exec "$prefix-server" python3 -B "$here/sending.py" serve "$dir/file" "$dir/ready" &
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

# fetches HOW ADDRESS [PORT]: the client fetches, and it goes as it should: `the file`, or `refused`.
fetches() {
  local how port=${3:-8080}
  how=$(in_host client python3 -B "$here/sending.py" fetch "$dir/file" "$2" "$port")
  if [[ $how == "$1" ]]; then echo "client, port $port of $2: $how"; else
    echo "client, port $port of $2: $how; it should have been: $1"
    wrong=1
  fi
}
