#!/bin/sh
# Web and its encrypted half as one service, by a mark.
MARK=5
ipvsadm -C
ipvsadm -A -f $MARK -s rr -p 600 || exit
for last in 11 12; do ipvsadm -a -f $MARK -r 10.0.0.$last:0 -g -w 1; done
ipvsadm -A -f $MARK -6 -s rr
ipvsadm -a -f $MARK -6 -r '[fd00::11]:0'
ipvsadm -L -n
ipvsadm -L -n -f $MARK | awk '/^FWM/ { print $2, $3, $5 }'
ipvsadm -L -n -f $MARK --stats
ipvsadm-save -n > saved; cat saved
ipvsadm-restore < saved; echo $?
ipvsadm-save -n | cmp - saved && echo same
ipvsadm -e -f $MARK -r 10.0.0.12 -w 0; echo $?
ipvsadm -D -f $MARK -6; echo $?
ipvsadm -D -f $MARK -6; echo $?
ipvsadm -L -n
ipvsadm -C
