#!/bin/busybox sh
# The first program of the virtual machine: loads what reaching the host takes, mounts the host's
# root read-only with a writable layer in memory over it, runs the command in there and tells its
# exit code. machine.py writes /machine, which sets project and modules, and /command.
# Ports: 1 is the command's output, 2 its errors, 3 the exit code. What init itself
# says goes to the console through the kernel's log, which is not cut off at the end.

/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /host /layer /root /project
/bin/busybox --install -s /bin
export PATH=/bin

give_up() {
  echo "<3>vm: $1" >/dev/kmsg
  poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/kmsg 2>&1
. /machine

for module in /modules/*.ko; do
  insmod "$module" || give_up "insmod $module failed"
done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host ||
  give_up "the host's root cannot be mounted"
mount -t tmpfs -o size=70% layer /layer && mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root ||
  give_up "no writable layer over the host's root"

mkdir -p "/root/lib/modules/$(uname -r)"
mount --bind "/host$modules" "/root/lib/modules/$(uname -r)"
# The project may lie below /tmp, which is about to be covered.
mount --bind "/root$project" /project
mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t devtmpfs devtmpfs /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
mount -t tmpfs -o mode=1777 tmpfs /root/tmp
mount -t tmpfs -o mode=755 tmpfs /root/run
mkdir -p "/root$project"
mount --move /project "/root$project"

# The kernel asks for modules by running this: the one of the host's root knows them all.
printf '#!/bin/sh\nexec chroot /root /sbin/modprobe "$@"\n' >/sbin/modprobe
chmod 755 /sbin/modprobe

ip link set lo up
hostname penstock-vm
ulimit -n 20000
cp /command /root/run/vm-command
port=$(echo /dev/vport*p1)
chroot /root /bin/sh /run/vm-command </dev/null >"$port" 2>"${port%1}2"
echo $? >"${port%1}3"
poweroff -f
