#!/bin/bash
# What can go wrong on a real machine and needs its root: full file systems, packets that get lost, kills by systemd.
set -euo pipefail
state=/var/lib/provisioner/backup inbox=/home/backup-acme/inbox unit=provisioner-backup.service

field() { sed -n "s/^ \"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" $state/status.json; }
told() { echo "$1: $(field state) $(field reason)" | sed 's/ $//'; }
locks() { find $inbox/locks -type f | wc -l; }
back_up() { systemctl start $unit 2> /dev/null || true; }
until_so() { for _ in $(seq 3000); do if "$@"; then return; fi; sleep 0.1; done; echo "never: $*"; exit 1; }
uploading() { test "$(du -sm $inbox/data | cut -f 1)" -ge $((had + 4)); }
apt-get -q -y install nftables > /dev/null

mkdir -p /srv/data
echo kept > /srv/data/kept
back_up
told healthy

# The store's file system holds 6 MiB, and has to take 24.
mv $inbox $inbox.real
mkdir $inbox
mount -t tmpfs -o size=6m tmpfs $inbox
cp -a $inbox.real/. $inbox/
chown backup-acme $inbox
head -c 24M /dev/urandom > /srv/data/large
back_up
told "store full"
umount $inbox
rmdir $inbox
mv $inbox.real $inbox
rm /srv/data/large
back_up
told "store healthy again"

# The agent's own file system fills while the manifest is written.
cp -a $state $state.real
mount -t tmpfs -o size=2m tmpfs $state
cp -a $state.real/. $state/
rm -rf $state/work/cache
for number in $(seq 3000); do echo > "/srv/data/$(printf '%0200d' "$number")"; done
rm -rf $state/manifest.jsonl
back_up
told "agent full"
cat /dev/zero > $state/filling 2> /dev/null || true
back_up
told "agent without space for any word"
umount $state
rm -rf $state.real
find /srv/data -name '0*' -delete
back_up
told "agent healthy again"

# The store is there, and nothing of it arrives.
drop_packets() {
    nft add table inet hostile
    nft add chain inet hostile output '{ type filter hook output priority 0; }'
    nft add rule inet hostile output tcp dport 22 drop
}
drop_packets
back_up
told "packets dropped"
nft delete table inet hostile

# From here on by a slow line, so that there is a middle of a backup.
mv /usr/bin/restic /usr/bin/restic.fast
printf '#!/bin/sh\nexec /usr/bin/restic.fast --limit-upload 1024 "$@"\n' > /usr/bin/restic
chmod 0755 /usr/bin/restic
begin() {
    had=$(du -sm $inbox/data | cut -f 1)
    head -c 24M /dev/urandom > /srv/data/large
    systemctl start --no-block $unit
    until_so uploading
}
over() { case "$(systemctl show -p ActiveState --value $unit)" in inactive | failed) ;; *) false ;; esac; }

begin
drop_packets
until_so over
told "packets dropped in the middle"
nft delete table inet hostile
rm /srv/data/large
back_up
told "the run after it"
echo "locks after it: $(locks)"

begin
systemctl stop $unit 2> /dev/null
told "stopped by systemd"
echo "locks after it: $(locks)"

begin
systemctl kill --signal=SIGKILL $unit
until_so over
told "killed with everything"
echo "locks after it: $(locks)"
rm /srv/data/large
back_up
told "the run after it"
echo "locks after it: $(locks)"

begin
code=0
/usr/bin/python3 -B /usr/local/lib/provisioner/backup_agent.py > /dev/null || code=$?
echo "two at once: $code"
until_so over
told "the first of them"
