#!/bin/sh
# Make packages for tests on a machine, and a repository of them: apt_repository.sh FOLDER NAME=VERSION[:KIND] ...
# KIND is what the package does when it is installed: fails (its postinst), restart (asks for one), waits (for /run/go,
# after it made /run/waiting), service (brings one, and does not restart it), needs-OTHER (in the same version or later).
# Run it again with other packages and the repository holds those and no others. Nothing else of the machine's sources is touched.
set -eu
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
for word in "$@"; do
    name=${word%%=*}
    rest=${word#*=}
    version=${rest%%:*}
    kind=${rest#"$version"}
    tree=$(mktemp -d)
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/$name"
    chmod 0755 "$tree"
    echo "$version" > "$tree/usr/share/$name/version"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Tests <tests@example.org>\nDescription: a test\n' \
        "$name" "$version" > "$tree/DEBIAN/control"
    case $kind in
        :needs-*) echo "Depends: ${kind#:needs-} (>= $version)" >> "$tree/DEBIAN/control" ;;
        :service)
            mkdir -p "$tree/usr/lib/$name" "$tree/usr/lib/systemd/system"
            cp /usr/bin/sleep "$tree/usr/lib/$name/daemon"
            printf '[Service]\nExecStart=/usr/lib/%s/daemon infinity\n[Install]\nWantedBy=multi-user.target\n' "$name" \
                > "$tree/usr/lib/systemd/system/$name.service"
            printf '#!/bin/sh\nsystemctl daemon-reload\nsystemctl enable --now %s\n' "$name" > "$tree/DEBIAN/postinst" ;;
        :fails) printf '#!/bin/sh\nexit 1\n' > "$tree/DEBIAN/postinst" ;;
        :waits) printf '#!/bin/sh\ntouch /run/waiting\nuntil [ -e /run/go ]; do sleep 0.1; done\n' > "$tree/DEBIAN/postinst" ;;
        :restart) printf '#!/bin/sh\ntouch /run/reboot-required\necho %s >> /run/reboot-required.pkgs\n' "$name" > "$tree/DEBIAN/postinst" ;;
    esac
    [ -f "$tree/DEBIAN/postinst" ] && chmod 0755 "$tree/DEBIAN/postinst"
    dpkg-deb --root-owner-group --build "$tree" "$folder" > /dev/null
    rm -r "$tree"
done
cd "$folder"
: > Packages
for file in *.deb; do
    dpkg-deb --field "$file" >> Packages
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)" >> Packages
done
{
    printf 'Origin: Tests\nLabel: Debian-Security\nSuite: tests-security\nDate: %s\nSHA256:\n' "$(date -Ru)"
    printf ' %s %s Packages\n' "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)"
} > Release
echo "deb [trusted=yes] file:$folder ./" > /etc/apt/sources.list.d/tests.list
