#!/bin/bash
# What a script sees when something is wrong: words, and the exit status in every form it is asked for.
ipvsadm -C; echo $?
ipvsadm -A -t 10.0.0.100:80 -s rr && echo added
ipvsadm -A -t 10.0.0.100:80 -s rr || echo "not added: $?"
if ! ipvsadm -E -t 10.0.0.101:80 -s rr; then echo "not edited"; fi
message=$(ipvsadm -a -t 10.0.0.101:80 -r 10.0.0.11 2>&1) || echo "said <$message> with $?"
message=$(ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.11 2>&1); echo "said <$message> with $?"
ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 2> /dev/null; echo $?
ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 2> /dev/null; echo $?
for words in "-A -t" "-A -t 80" "-A -t 10.0.0.100:http:80" "-A -t $VIP:80" "-a -t 10.0.0.100:80" "-D" "-Q" "--bogus" "-L -Q" \
    "-A -t 10.0.0.100:81 -s nonsense" "-a -t 10.0.0.100:80 -r 10.0.0.12 -w -1" "-a -t 10.0.0.100:80 -r 10.0.0.12 -w 1x" \
    "-a -t 10.0.0.100:80 -r 10.0.0.12 -x 1 -y 2" "-a -t 10.0.0.100:80 -r 224.0.0.1" "-a -t 10.0.0.100:80 -r nowhere" \
    "-L -n -t 10.0.0.101:80" "-Z -t 10.0.0.101:80" "--set 1 2" "--set a b c" "-C -n" "-S -t 10.0.0.100:80" "-L -c --stats" \
    "-A -t 10.0.0.100:82 -p 0" "-A -t 10.0.0.100" "-A -u 10.0.0.100:82 -M 255.255.255.x" "--start-daemon other" "-L extra"; do
    # shellcheck disable=SC2086
    ipvsadm $words > out 2> err
    status=$?
    printf '%3d  %-50s %s|%s\n' $status "$words" "$(wc -l < out)" "$(cat err)"
done
ipvsadm -D -t 10.0.0.100:80
( set -e; ipvsadm -D -t 10.0.0.100:80; echo "not reached" ); echo $?
ipvsadm -D -t 10.0.0.100:80 >&- 2>&-; echo $?
ipvsadm -L -n > /dev/null; echo $?
ipvsadm-save -x; echo $?
ipvsadm-save --help > /dev/null 2>&1; echo $?
ipvsadm-restore < /dev/null; echo $?
ipvsadm -R < /dev/null; echo $?
ipvsadm -A -t 10.0.0.100:80
echo "-D -t 10.0.0.101:80" | ipvsadm -R; echo "${PIPESTATUS[@]}"
set -o pipefail
echo "-D -t 10.0.0.101:80" | ipvsadm-restore | cat; echo $?
ipvsadm -L -n
