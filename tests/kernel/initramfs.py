# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The initramfs of tests/kernel: busybox, the kernel's modules that a gateway wants, natvi, case-runner, tun-pair, ip, tc, ethtool, nft.

It is not compressed: QEMU hands it over as it is, and unpacking costs more in an emulated machine than copying.
"""
import lzma
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
BUSYBOX = "/bin/busybox"
SHELL = "/bin/dash"     # busybox's, and its nsenter, prefer its own ip to the real one
PROGRAMS = ("ip", "tc", "ethtool", "nsenter", "nft")
DIRECTORIES = ("bin", "usr/bin", "usr/sbin", "sbin", "proc", "sys", "dev", "run", "tmp", "etc", "var")
# Folders of /lib/modules/VERSION/kernel; whole, so that modules find what they depend on.
MODULES = ("net", "drivers/net/veth*", "drivers/net/tun*", "drivers/net/dummy*", "drivers/net/vrf*", "drivers/virtio", "drivers/char/virtio*",
           "lib", "crypto", "arch/x86/crypto")


def libraries(program):
    """Files that the dynamic loader takes for it"""
    ldd = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", ldd.stdout)


def add_program(root, program, to):
    shutil.copy(program, root / to)
    for library in libraries(program):
        target = root / library.lstrip("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)


def add_module(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".xz":
        target.with_suffix("").write_bytes(lzma.decompress(source.read_bytes()))
    else:
        shutil.copy(source, target)


def add_modules(root, unpacked):
    """unpacked: of the kernel's package"""
    tree = next(pathlib.Path(p) for p in (unpacked / "lib/modules", unpacked / "usr/lib/modules") if p.is_dir())
    version = next(tree.iterdir()).name
    here, there = tree / version, root / "lib/modules" / version
    for name in MODULES:
        for found in (here / "kernel").glob(name):
            for module in [found] if found.is_file() else found.rglob("*.ko*"):
                add_module(module, there / module.relative_to(here))
    for name in ("modules.builtin", "modules.order"):
        shutil.copy(here / name, there / name)
    subprocess.run([BUSYBOX, "depmod", "-b", str(root), version], check=True)


def pack(root, archive):
    names = "\n".join(sorted(str(p.relative_to(root)) for p in root.rglob("*"))) + "\n"
    with open(archive, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], input=names.encode(), stdout=out, cwd=root, check=True)


def make(unpacked, build, root, archive):
    """Make the archive, with root as the place to put it together. build: where natvi is"""
    shutil.rmtree(root, ignore_errors=True)
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    (root / "sbin/modprobe").symlink_to("/bin/busybox")     # what the kernel asks for modules
    add_program(root, SHELL, "bin/sh")
    for program in PROGRAMS:
        add_program(root, shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"), "usr/sbin/" + program)
    add_program(root, build / "natvi", "usr/bin/natvi")
    add_program(root, build / "tests/case-runner", "usr/bin/case-runner")
    add_program(root, build / "tests/tun-pair", "usr/bin/tun-pair")
    add_modules(root, unpacked)
    for name in ("init", "smoke.sh", "vrf.sh", "accel.sh", "wire.sh"):
        shutil.copy(HERE / name, root / name)
    (root / "init").chmod(0o755)
    pack(root, archive)
    shutil.rmtree(root)
