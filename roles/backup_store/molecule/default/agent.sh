#!/bin/bash
# An agent on the machine of the store: what its key may do, and what not. One line of output a finding.
set -uo pipefail
user=backup-acme
ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null > /root/known
come() { ssh -F none -i "/root/$1" -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=/root/known "${@:2}"; }
repo() {
  printf '%s\n' "the-password-of-$1" > /root/password
  restic --no-cache -q -r "rclone:$2" -o rclone.program="ssh -F none -i /root/$1 -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=/root/known $user@127.0.0.1" \
    --password-file /root/password "${@:3}"
}
for agent in ws-01 ws-02; do
  mkdir -p /root/work && echo "work of $agent" > /root/work/file
  repo $agent x init && repo $agent x backup /root/work && echo "$agent backed up"
done
echo "anything: $(come ws-01 $user@127.0.0.1 id </dev/null 2>/dev/null | grep -a -c uid=)"
echo "shell: $(come ws-01 $user@127.0.0.1 </dev/null 2>/dev/null | grep -a -c -F '$')"
echo "terminal: $(come ws-01 -tt $user@127.0.0.1 </dev/null 2>&1 | grep -a -c 'PTY allocation request failed')"
echo "out: $(come ws-01 -W 127.0.0.1:22 $user@127.0.0.1 </dev/null 2>&1 | grep -a -c 'administratively prohibited')"
echo "in: $(timeout 20 ssh -F none -i /root/ws-01 -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=/root/known -o ExitOnForwardFailure=yes \
  -N -R 9999:127.0.0.1:22 $user@127.0.0.1 </dev/null 2>&1 | grep -a -c 'remote port forwarding failed')"
echo "sftp: $(echo ls | sftp -F none -i /root/ws-01 -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=/root/known $user@127.0.0.1 2>/dev/null | grep -a -c ws-)"
echo "password: $(ssh -F none -o PubkeyAuthentication=no -o BatchMode=yes -o UserKnownHostsFile=/root/known $user@127.0.0.1 id 2>&1 | grep -c 'Permission denied (publickey)')"
echo "own id: $(repo ws-01 x cat config | grep -o '"id": *"[^"]*"' | md5sum)"
for other in ws-02 ../ws-02 /srv/backup/acme/inbox/ws-02; do
  echo "own id: $(repo ws-01 $other cat config | grep -o '"id": *"[^"]*"' | md5sum)"
done

# Raw requests, as an agent would send them that does not run restic.
rm -f /run/door
socat UNIX-LISTEN:/run/door,fork EXEC:"ssh -F none -i /root/ws-01 -o BatchMode=yes -o UserKnownHostsFile=/root/known $user@127.0.0.1" 2>/dev/null &
door=$!
for _ in $(seq 100); do test -S /run/door && break; sleep 0.1; done
ask() { curl -s -o /dev/null -w '%{http_code}' --http2-prior-knowledge --unix-socket /run/door --path-as-is "${@:2}" "http://x/$1"; }
files() { (cd /srv/backup/acme && find inbox -type f -exec sha256sum {} + | sort); }
before=$(files)
snapshot=$(ls /srv/backup/acme/inbox/ws-01/snapshots) pack=$(find /srv/backup/acme/inbox/ws-01/data -type f -printf '%f\n' | head -n 1)
index=$(ls /srv/backup/acme/inbox/ws-01/index | head -n 1) key=$(ls /srv/backup/acme/inbox/ws-01/keys)
for object in "snapshots/$snapshot" "data/$pack" "index/$index" "keys/$key" config; do
  echo "${object%%/*} delete $(ask "$object" -X DELETE) overwrite $(ask "$object" -X POST --data-binary junk) put $(ask "$object" -X PUT --data-binary junk)"
done
[ "$before" = "$(files)" ] && echo "as before"
for path in ../ws-02/config %2e%2e/ws-02/config ..%2fws-02/config ../ws-02/snapshots/new; do ask "$path" -X POST --data-binary junk >/dev/null; done
[ "$(grep /ws-02/ <<< "$before")" = "$(files | grep inbox/ws-02/)" ] && echo "the other as before"
kill $door
rm -rf /run/door
runuser -u $user -- sh -c 'cat /etc/provisioner/store/acme/vault_password; ls /srv/backup/acme/vault; ls /var/lib/provisioner/store' >/root/seen 2>/dev/null
echo "seen: $(wc -c < /root/seen)"
