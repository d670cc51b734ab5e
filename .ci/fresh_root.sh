#!/usr/bin/env bash
# fresh_root.sh 'COMMAND': runs COMMAND in a clone of HEAD inside a new Debian root that holds only
# git and a shell, as on a newcomer's machine. Needs root; removes the folder at the end.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 debian)
folder=$(mktemp -d)
leave() {
  umount "$folder/proc" "$folder/dev" 2>/dev/null || true
  rm -rf --one-file-system "$folder"
}
trap leave EXIT
debootstrap --variant=minbase --include=git,ca-certificates "$suite" "$folder" "$mirror" >/dev/null
# The way to the package mirror (proxies, credentials) is the host's.
cp -r /etc/apt/apt.conf.d/99* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || true
cp -r /etc/apt/auth.conf* "$folder/etc/apt/" 2>/dev/null || true
cp /etc/resolv.conf "$folder/etc/"
mkdir -p "$folder/proc" "$folder/dev"
mount --bind /proc "$folder/proc"
mount --bind /dev "$folder/dev"
git clone -q "$repository" "$folder/src"
chroot "$folder" env -i HOME=/root LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  bash -c "cd /src && git config --global --add safe.directory /src && $1"
