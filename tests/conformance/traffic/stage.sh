#!/bin/sh
# stage.sh PYTHON SCRIPT [WORD...]: run a script as on a director of its own, with files of its own where it writes.
#
# Called in a mount namespace that is thrown away. /tmp is empty and the current directory; names come from our
# files; Debian's ipvsadm has its rules and settings anew. With a PYTHON that has directrix, the names it installs
# are found first, and stand in the place of ipvsadm's programs too.
set -eu
here=$(dirname "$(readlink -f "$0")")
python=$1
script=$here/scripts/$2
shift 2

# A checkout below /tmp stays where it is.
checkout=$(readlink -f "$here/../../..")
mount --bind "$checkout" /mnt
mount -t tmpfs tmpfs /tmp
case $checkout in
/tmp/*) mkdir -p "$checkout" && mount --bind /mnt "$checkout" ;;
esac
mkdir /tmp/.stage
printf 'hosts: files\nservices: files\n' > /tmp/.stage/nsswitch.conf
printf '# ipvsadm.rules\n' > /tmp/.stage/ipvsadm.rules
printf 'AUTO="true"\nDAEMON="none"\n' > /tmp/.stage/ipvsadm
mount --bind /tmp/.stage/nsswitch.conf /etc/nsswitch.conf
mount --bind "$here/../hosts" /etc/hosts
mount --bind "$here/../services" /etc/services
[ ! -e /etc/ipvsadm.rules ] || mount --bind /tmp/.stage/ipvsadm.rules /etc/ipvsadm.rules
[ ! -e /etc/default/ipvsadm ] || mount --bind /tmp/.stage/ipvsadm /etc/default/ipvsadm

PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ -n "$python" ]; then
    mkdir /tmp/.names
    PATH=/tmp/.names:$PATH
    "$python" -m directrix install-names /tmp/.names 2> /dev/null
    for program in /tmp/.names/*; do
        name=/usr/sbin/$(basename "$program")
        [ ! -e "$name" ] || mount --bind "$program" "$name"
    done
fi
export PATH
cd /tmp
exec "$script" "$@"
