#!/bin/sh
# Turns a fresh Debian tree into a practice machine. mmdebstrap calls it with the root of the tree; the
# packages to download, but not to install, are named in PREFETCH.
set -eu
root=$1

# The technician logs in with a key only: the password is public, and is there for sudo.
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo technician
echo technician:technician | chroot "$root" chpasswd
cat > "$root/etc/ssh/sshd_config.d/50-lab.conf" <<'END'
Match User technician
    PasswordAuthentication no
    KbdInteractiveAuthentication no
Match all
END

# Each machine makes its own host keys at its first start, and owns its /etc/hosts, hostname and resolv.conf:
# podman mounts files of its own there, which nothing could replace.
rm -f "$root"/etc/ssh/ssh_host_*
echo debian > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n::1\tlocalhost ip6-localhost ip6-loopback\n' > "$root/etc/hosts"
cat > "$root/usr/local/sbin/lab-start" <<'END'
#!/bin/sh
set -eu
for file in hosts hostname resolv.conf; do
    mountpoint -q "/etc/$file" || continue
    cp "/etc/$file" "/run/lab-$file"
    umount "/etc/$file"
    [ -s "/etc/$file" ] || cat "/run/lab-$file" > "/etc/$file"
done
hostname --file /etc/hostname
ssh-keygen -A
END
chmod 755 "$root/usr/local/sbin/lab-start"
cat > "$root/etc/systemd/system/lab-start.service" <<'END'
[Unit]
Description=Make this practice machine one of its own
Before=ssh.service ssh.socket
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/lab-start
[Install]
WantedBy=multi-user.target
END
chroot "$root" systemctl enable --quiet lab-start.service ssh.service

# A privileged container sees the devices, modules and sysctls of the machine it runs on: it must not set them.
chroot "$root" systemctl mask --quiet getty.target console-getty.service systemd-sysctl.service \
    systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
    systemd-udevd-kernel.socket proc-sys-fs-binfmt_misc.automount

# Package lists are there and the larger packages are downloaded: roles install as on any machine, only sooner.
# shellcheck disable=SC2086  # a list of words
chroot "$root" apt-get install --quiet=2 --yes --no-install-recommends --download-only ${PREFETCH:-}
