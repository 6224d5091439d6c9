"""What -h and -v print."""

from __future__ import annotations

from typing import Final

VERSION: Final = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"
"""The version whose language this is, for scripts that look at it."""

USAGE: Final = f"""{VERSION}Usage:
  ipvsadm -A|E SERVICE [-s SCHEDULER] [-p [SECONDS]] [-M NETMASK] [-b FLAGS] [-o] [--pe ENGINE]
  ipvsadm -D SERVICE
  ipvsadm -C
  ipvsadm -a|e SERVICE -r HOST[:PORT] [-g|i|m] [-w WEIGHT] [-x UPPER] [-y LOWER] [TUNNEL OPTIONS]
  ipvsadm -d SERVICE -r HOST[:PORT]
  ipvsadm -L|l [SERVICE | -c | --timeout | --daemon] [LISTING OPTIONS]
  ipvsadm -Z [SERVICE]
  ipvsadm -S [-n]
  ipvsadm -R [--atomic]
  ipvsadm --set TCP TCPFIN UDP
  ipvsadm --start-daemon master|backup [DAEMON OPTIONS]
  ipvsadm --stop-daemon master|backup
  ipvsadm -h | -v

Commands (the first option):
  -A, --add-service            add a virtual service
  -E, --edit-service           change a virtual service; what is not said goes back to its default
  -D, --delete-service         remove a virtual service and its real servers
  -C, --clear                  remove all virtual services
  -a, --add-server             add a real server to a virtual service
  -e, --edit-server            change a real server; what is not said goes back to its default
  -d, --delete-server          remove a real server from a virtual service
  -L, -l, --list               list the table (also without any command)
  -Z, --zero                   set counters to zero, of one virtual service or of all
  -S, --save                   print the commands that make the table anew
  -R, --restore                read such commands from standard input
      --set TCP TCPFIN UDP     set timeouts in seconds; 0 keeps the one in force
      --start-daemon STATE     start connection synchronization as master or backup
      --stop-daemon STATE      stop connection synchronization
  -h, --help                   print this help
  -v, --version                print the version

Service:
  -t, --tcp-service HOST[:PORT]
  -u, --udp-service HOST[:PORT]
      --sctp-service HOST[:PORT]
  -f, --fwmark-service MARK    packets with this firewall mark, 1 to 4294967295
  -6, --ipv6                   the firewall mark is of IPv6 packets; comes after -f

Service options:
  -s, --scheduler NAME         how a real server is chosen, wlc if not given
  -b, --sched-flags FLAGS      flag-1, flag-2, flag-3, sh-fallback, sh-port, mh-fallback, mh-port; with commas
  -p, --persistent [SECONDS]   keep a client at its real server, for 360 seconds if not given
  -M, --netmask NETMASK        clients of one such network (IPv6: prefix length) count as one
  -o, --ops                    schedule each UDP datagram for itself
      --pe ENGINE              persistence engine (sip)

Real server options:
  -r, --real-server HOST[:PORT]
  -g, --gatewaying             direct routing (default)
  -i, --ipip                   tunneling
  -m, --masquerading           network address translation
  -w, --weight WEIGHT          capacity beside the others, 1 if not given; 0 gets nothing new
  -x, --u-threshold NUMBER     get no new connections from this many on
  -y, --l-threshold NUMBER     until there are fewer than this many

Tunnel options:
      --tun-type TYPE          ipip (default), gue or gre
      --tun-port PORT          destination port of gue
      --tun-nocsum             without checksum (default)
      --tun-csum               with checksum
      --tun-remcsum            with remote checksum (gue)

Listing options:
  -n, --numeric                numbers instead of names
  -c, --connection             connection entries
      --timeout                timeouts
      --daemon                 synchronization daemons
      --stats                  totals of connections, packets and bytes
      --rate                   rates a second
  -X, --exact                  numbers in full
      --thresholds             thresholds
      --persistent-conn        persistent connections; with -c persistence engine data
      --tun-info               encapsulation
      --nosort                 in the table's own order
      --sort                   sorted, as is the default
      --json                   as JSON, with everything

Restore options:
      --atomic                 all lines or, if one is wrong, none

Daemon options:
      --syncid ID              0 to 255
      --sync-maxlen LENGTH     longest message
      --mcast-interface NAME   eth0 if not given
      --mcast-group ADDRESS    224.0.0.81 if not given
      --mcast-port PORT        8848 if not given
      --mcast-ttl TTL          1 if not given
"""
