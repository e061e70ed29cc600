"""The kernel's side of the fidelity suite.

Makes networks of namespaces real, sends packets in them and tells what the kernel did. One JSON request a line on
standard input, one JSON answer a line on standard output. All namespaces and sockets are held by this one process as
file descriptors: when it ends, however it ends, the kernel removes them. Standard library only (Debian's python3).

Run it in mount and PID namespaces of its own; its first network namespace is used for the fence alone.
"""

import ctypes
import errno
import glob
import json
import os
import select
import socket
import struct
import queue
import subprocess
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 0x0003
SOL_IPV6 = 41
IP_MTU_DISCOVER, IP_RECVERR, IP_FREEBIND, IP_TRANSPARENT, IP_PKTINFO = 10, 11, 15, 19, 8
IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_V6ONLY, IPV6_RECVPKTINFO, IPV6_PKTINFO = 23, 25, 26, 49, 50
IPV6_FREEBIND, IPV6_TRANSPARENT, IPV6_UNICAST_HOPS, IPV6_TCLASS, IPV6_HDRINCL = 78, 75, 16, 67, 36
PMTUDISC_DONT, PMTUDISC_DO = 0, 2
SO_MARK, SO_BINDTODEVICE, SO_RCVBUFFORCE = 36, 25, 33
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
SNAP = 160
# Of one reading; more is a storm: frames that go round a circle of bridges, which no TTL ends.
FRAMES_MAX = 20_000
SYN_SENT = 2

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter(fd):
    check(libc.setns(fd, CLONE_NEWNET))


RTM_GETLINK, NLM_F_REQUEST, IFLA_OPERSTATE = 18, 1, 16
RTF_LOCAL = 0x80000000
RTM_SETLINK, NLM_F_ACK, NLA_NESTED = 19, 4, 0x8000
IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS, XDP_FLAGS_SKB = 43, 1, 3, 2
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_PROG_LOAD, BPF_PROG_TYPE_XDP, XDP_DROP, XDP_PASS = 5, 6, 1, 2


def operstate(asker, index):
    """RFC 2863's state by rtnetlink(7), which brings it up to date first (linkwatch_sync_dev)."""
    asker.send(struct.pack("=IHHII", 32, RTM_GETLINK, NLM_F_REQUEST, 0, 0) + struct.pack("=BxHiII", 0, 0, index, 0, 0))
    reply = asker.recv(65536)
    at = 32
    while at + 4 <= len(reply):
        length, kind = struct.unpack_from("=HH", reply, at)
        if kind == IFLA_OPERSTATE:
            return reply[at + 4]
        at += max(4, (length + 3) & ~3)
    return None


def addresses_without_route():
    """
    IPv6 addresses of this namespace that the kernel has not finished adding: even without duplicate detection the local
    route comes from a work queue (addrconf_dad_work in net/ipv6/addrconf.c).
    """
    with open("/proc/thread-self/net/if_inet6") as file:
        addresses = {line.split()[0] for line in file}
    if not addresses:
        return set()
    with open("/proc/thread-self/net/ipv6_route") as file:
        routes = {words[0] for words in map(str.split, file) if int(words[8], 16) & RTF_LOCAL}
    return addresses - routes


class Folders:
    """Folders that are looked into more than once: /proc/sys is slow to find one's way in."""

    def __init__(self):
        self.fds = {}

    def open(self, path, flags):
        folder, name = path.rsplit("/", 1)
        if folder not in self.fds:
            self.fds[folder] = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        return os.open(name, flags, dir_fd=self.fds[folder])

    def close(self):
        for fd in self.fds.values():
            os.close(fd)


def filled_out(pattern, folders):
    """The paths that a pattern with one `*` may stand for; each folder is listed but once."""
    folder, rest = pattern.split("*", 1)
    if folder not in folders:
        try:
            folders[folder] = sorted(os.listdir(folder))
        except OSError:
            folders[folder] = []
    return [folder + name + rest for name in folders[folder]]


# Tables of their own and small: `ss` goes through the whole of what it is told of, which all namespaces share otherwise.
SMALL_TABLES = (("tcp_child_ehash_entries", "64"), ("udp_child_hash_entries", "128"))


class Driver:
    def __init__(self):
        for key, value in SMALL_TABLES:
            with open("/proc/sys/net/ipv4/" + key, "w") as file:
                file.write(value)
        self.base = os.open("/proc/self/ns/net", os.O_RDONLY)
        # Closing a tap waits for an RCU grace period (packet_release), which the next case need not.
        self.closing = queue.SimpleQueue()
        threading.Thread(target=self.close_behind, daemon=True).start()
        self.namespaces = {}
        self.watches = {}
        self.servers = []
        self.clients = []
        self.epoll = select.epoll()
        self.by_fd = {}
        self.fence_receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.fence_receiver.bind(("127.0.0.1", 0))
        self.fence_receiver.settimeout(2)
        self.fence_sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.fence_sender.connect(self.fence_receiver.getsockname())

    # Namespaces

    def create(self, step):
        for name in step["names"]:
            check(libc.unshare(CLONE_NEWNET))
            self.namespaces[name] = os.open("/proc/self/ns/net", os.O_RDONLY)
        enter(self.base)

    def within(self, name):
        enter(self.namespaces[name])

    def clear(self):
        enter(self.base)
        self.epoll.close()
        sockets = [one["socket"] for one in self.servers + self.clients] + list(self.watches.values())
        self.closing.put((sockets, list(self.namespaces.values())))
        self.epoll = select.epoll()
        self.namespaces, self.watches, self.servers, self.clients, self.by_fd = {}, {}, [], [], {}

    def close_behind(self):
        while True:
            sockets, namespaces = self.closing.get()
            for one in sockets:
                one.close()
            for fd in namespaces:
                os.close(fd)

    # Set-up and reading

    def sysctl(self, step):
        self.within(step["ns"])
        missing = []
        folders = Folders()
        every = [(one, value) for path, value in step["set"] for one in (glob.glob(path) if "*" in path else [path])]
        for path, value in every:
            try:
                fd = folders.open(path, os.O_WRONLY)
            except FileNotFoundError:
                missing.append(path)
                continue
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        folders.close()
        return {"missing": missing}

    def xdp(self, step):
        """A program of two instructions (`r0 = act; exit`), by generic XDP, which every device has."""
        self.within(step["ns"])
        code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, {"pass": XDP_PASS, "drop": XDP_DROP}[step["act"]], 0x95, 0, 0, 0)
        code_at, license_at = (ctypes.create_string_buffer(one) for one in (code, b"GPL"))
        # union bpf_attr of BPF_PROG_LOAD (linux/bpf.h): type, number of instructions, where they are, where the licence is.
        attr = struct.pack("=IIQQ", BPF_PROG_TYPE_XDP, 2, ctypes.addressof(code_at), ctypes.addressof(license_at))
        attr_at = ctypes.create_string_buffer(attr.ljust(128, b"\0"))
        program = libc.syscall(SYS_BPF[os.uname().machine], BPF_PROG_LOAD, attr_at, 128)
        if program < 0:
            check(program)
        asker = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        try:
            inner = struct.pack("=HHi", 8, IFLA_XDP_FD, program) + struct.pack("=HHI", 8, IFLA_XDP_FLAGS, XDP_FLAGS_SKB)
            body = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(step["device"]), 0, 0)
            body += struct.pack("=HH", 4 + len(inner), IFLA_XDP | NLA_NESTED) + inner
            asker.send(struct.pack("=IHHII", 16 + len(body), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 0, 0) + body)
            check(-struct.unpack_from("=i", asker.recv(4096), 16)[0])
        finally:
            asker.close()
            os.close(program)

    def run(self, step):
        self.within(step["ns"])
        when = step.get("when")
        if when and not self.has_line(when):
            return {"code": 0, "out": "", "err": ""}
        argv = [self.filled(word) for word in step["argv"]]
        environment = dict(os.environ, **step["env"]) if "env" in step else None
        done = subprocess.run(
            argv,
            input=self.filled(step.get("input", "")).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=20,
            close_fds=False,
            env=environment,
        )
        return {
            "code": done.returncode,
            "out": done.stdout.decode(errors="replace"),
            "err": done.stderr.decode(errors="replace")[:2000],
        }

    def wait_up(self, step):
        """Until every device shows operstate UP or UNKNOWN (a tunnel's), or so many milliseconds have gone by."""
        self.within(step["ns"])
        asker = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        try:
            late = time.monotonic() + step["lateMs"] / 1000
            waiting = [socket.if_nametoindex(name) for name in step["devices"]]
            while time.monotonic() < late:
                waiting = [index for index in waiting if operstate(asker, index) not in (0, 6)]
                if not waiting and not addresses_without_route():
                    break
                time.sleep(0.001)
        finally:
            asker.close()
        return {"late": len(waiting)}

    def has_line(self, when):
        try:
            with open(when["file"]) as file:
                lines = file.read().split("\n")
        except OSError:
            return False
        wanted = when.get("hasLine")
        return any(line == wanted if wanted else line for line in lines)

    def filled(self, text):
        """`@netns:NAME@` stands for a path that ip(8) takes for a namespace."""
        if "@netns:" not in text:
            return text
        for name, fd in self.namespaces.items():
            text = text.replace(f"@netns:{name}@", f"/proc/{os.getpid()}/fd/{fd}")
        return text

    def files(self, step):
        self.within(step["ns"])
        out = []
        folders, opened = {}, Folders()
        for path in step["paths"]:
            names = filled_out(path, folders) if "*" in path else [path]
            for name in names:
                try:
                    fd = opened.open(name, os.O_RDONLY)
                except OSError as problem:
                    # Of what a pattern stands for, what is not there is none of it.
                    if name is path or problem.errno != errno.ENOENT:
                        out.append({"path": name, "error": errno.errorcode.get(problem.errno, "EIO")})
                    continue
                try:
                    out.append({"path": name, "text": os.read(fd, 65536).decode(errors="replace")})
                except OSError as problem:
                    out.append({"path": name, "error": errno.errorcode.get(problem.errno, "EIO")})
                finally:
                    os.close(fd)
            if not names:
                out.append({"path": path, "error": "ENOENT"})
        opened.close()
        return {"files": out}

    # Sockets that wait

    def listen(self, step):
        for number, spec in enumerate(step["sockets"]):
            self.within(spec["ns"])
            six = spec["family"] == 6
            family = socket.AF_INET6 if six else socket.AF_INET
            kind = socket.SOCK_STREAM if spec["protocol"] == "tcp" else socket.SOCK_DGRAM
            one = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if spec.get("reuseport"):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if six:
                one.setsockopt(SOL_IPV6, IPV6_V6ONLY, 1 if spec.get("v6only") else 0)
            if spec.get("transparent"):
                one.setsockopt(*((SOL_IPV6, IPV6_TRANSPARENT) if six else (socket.SOL_IP, IP_TRANSPARENT)), 1)
            if spec.get("freebind"):
                one.setsockopt(*((SOL_IPV6, IPV6_FREEBIND) if six else (socket.SOL_IP, IP_FREEBIND)), 1)
            if spec.get("device"):
                one.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, spec["device"].encode() + b"\0")
            if spec["protocol"] == "udp":
                one.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
                if six:
                    one.setsockopt(SOL_IPV6, IPV6_RECVPKTINFO, 1)
            one.bind((spec["address"], spec["port"]))
            if spec["protocol"] == "tcp":
                one.listen(16)
            entry = {"socket": one, "spec": spec, "number": number}
            self.servers.append(entry)
            if spec["protocol"] == "udp":
                self.by_fd[one.fileno()] = entry
                self.epoll.register(one.fileno(), select.EPOLLIN)

    def answer_datagrams(self, received):
        """Datagrams that came in are answered from the address that they came to; True if there were any."""
        some = False
        for fd, _ in self.epoll.poll(0):
            server = self.by_fd[fd]
            one = server["socket"]
            while True:
                try:
                    data, ancillary, _, peer = one.recvmsg(65536, 512)
                except BlockingIOError:
                    break
                except OSError as problem:
                    received.append({"socket": server["number"], "error": errno.errorcode[problem.errno]})
                    break
                some = True
                reply = []
                for level, kind, value in ancillary:
                    if level == SOL_IPV6 and kind == IPV6_PKTINFO:
                        reply = [(SOL_IPV6, IPV6_PKTINFO, value[:16] + struct.pack("i", 0))]
                    if level == socket.SOL_IP and kind == IP_PKTINFO:
                        _, local, header = struct.unpack("=I4s4s", value[:12])
                        reply = [(socket.SOL_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, header, b"\0" * 4))]
                entry = {"socket": server["number"], "from": [peer[0].split("%")[0], peer[1]], "bytes": len(data)}
                if server["spec"].get("silent"):
                    received.append(entry)
                    continue
                try:
                    one.sendmsg([data], reply, 0, peer)
                except OSError as problem:
                    entry["replyError"] = errno.errorcode[problem.errno]
                received.append(entry)
        return some

    # Watching

    def watch(self, step):
        for name in step["names"]:
            self.within(name)
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
            tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 21)
            self.watches[name] = tap

    def seen(self):
        events = []
        for name, tap in self.watches.items():
            while True:
                try:
                    frame, address = tap.recvfrom(SNAP)
                except BlockingIOError:
                    break
                except OSError as problem:
                    if problem.errno == errno.ENETDOWN:
                        continue
                    raise
                device, protocol, kind = address[0], address[1], address[2]
                if protocol in (0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8):
                    events.append([name, device, kind, protocol, frame.hex()])
                    if len(events) > FRAMES_MAX:
                        raise RuntimeError(f"a storm of frames: more than {FRAMES_MAX} are under way")
        return events

    def fence(self, rounds):
        """
        What is on its way on this processor comes before a packet that is sent after it, at each hop once: the backlog
        is first in, first out (net/core/dev.c).
        """
        for _ in range(rounds):
            self.fence_sender.send(b"x")
            self.fence_receiver.recv(16)

    # Sending

    def settle(self, step):
        """What still waits for a neighbour is sent or refused meanwhile."""
        time.sleep(step["ms"] / 1000)
        self.fence(12)
        return {"events": self.seen()}

    def send(self, step):
        spec = step["packet"]
        self.within(spec["ns"])
        result = {"before": self.seen(), "error": None, "received": [], "soError": None, "connected": False, "queue": []}
        self.close_rivals(spec)
        try:
            client = self.client(spec)
        except OSError as problem:
            result["error"] = errno.errorcode.get(problem.errno, str(problem.errno))
            result["setup"] = True
            return {**result, "events": []}
        self.clients.append({"socket": client, "spec": spec})
        try:
            self.transmit(client, spec)
        except OSError as problem:
            if problem.errno != errno.EINPROGRESS:
                result["error"] = errno.errorcode.get(problem.errno, str(problem.errno))
        waited = False
        while True:
            self.fence(12)
            if self.answer_datagrams(result["received"]):
                continue
            if waited or not step.get("settleMs") or self.is_told(client):
                break
            # Resolving a neighbour takes its time; what waits for it is sent or refused then.
            time.sleep(step["settleMs"] / 1000)
            waited = True
        result["soError"] = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        result["soError"] = errno.errorcode.get(result["soError"]) if result["soError"] else None
        if spec["protocol"] == "tcp" and not result["soError"] and not result["error"]:
            try:
                client.getpeername()
                result["connected"] = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
            except OSError:
                pass
        if spec["protocol"] in ("udp", "icmp"):
            self.read_back(client, result)
        elif client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == SYN_SENT:
            client.close()  # before it sends its SYN again
        result["events"] = self.seen()
        return result

    def close_rivals(self, spec):
        """A socket that sent from this port before could take answers that NAT has led astray; only one asks at a time."""
        own = [spec[key] for key in ("ns", "protocol", "sourcePort")]
        for one in self.clients:
            if spec["protocol"] == "udp" and [one["spec"][key] for key in ("ns", "protocol", "sourcePort")] == own:
                one["socket"].close()

    def is_told(self, client):
        """Whether an answer or an error has come back, so that nothing waits for a neighbour any more."""
        poll = select.poll()
        tcp = client.type & socket.SOCK_STREAM != 0
        poll.register(client.fileno(), select.POLLIN | (select.POLLOUT if tcp else 0))
        return any(poll.poll(0))

    def read_back(self, client, result):
        for _ in range(16):
            try:
                _, ancillary, _, _ = client.recvmsg(2048, 1024, socket.MSG_ERRQUEUE)
            except OSError:
                break
            for level, kind, value in ancillary:
                if (level, kind) in ((socket.SOL_IP, IP_RECVERR), (SOL_IPV6, IPV6_RECVERR)):
                    number, origin, typ, code = struct.unpack("=IBBB", value[:7])
                    result["queue"].append([errno.errorcode.get(number, str(number)), origin, typ, code])
        for _ in range(16):
            try:
                data, peer = client.recvfrom(65536)
            except OSError:
                break
            result.setdefault("answers", []).append([peer[0].split("%")[0], peer[1], len(data)])

    def client(self, spec):
        six = spec["family"] == 6
        family = socket.AF_INET6 if six else socket.AF_INET
        protocol = spec["protocol"]
        # Who makes a socket owns it (xt_owner.c: f_cred; routing rules: sk_uid).
        if spec.get("gid"):
            os.setegid(spec["gid"])
        if spec.get("uid"):
            os.seteuid(spec["uid"])
        try:
            if protocol == "tcp":
                client = socket.socket(family, socket.SOCK_STREAM)
            elif protocol == "udp":
                client = socket.socket(family, socket.SOCK_DGRAM)
            else:
                client = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        finally:
            os.seteuid(0)
            os.setegid(0)
        client.setblocking(False)
        level = SOL_IPV6 if six else socket.SOL_IP
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if protocol != "tcp":
            client.setsockopt(level, IPV6_RECVERR if six else IP_RECVERR, 1)
            client.setsockopt(
                level,
                IPV6_MTU_DISCOVER if six else IP_MTU_DISCOVER,
                PMTUDISC_DO if spec["df"] else PMTUDISC_DONT,
            )
        if spec.get("ttl"):
            client.setsockopt(level, IPV6_UNICAST_HOPS if six else socket.IP_TTL, spec["ttl"])
        if spec.get("tos"):
            client.setsockopt(level, IPV6_TCLASS if six else socket.IP_TOS, spec["tos"])
        if spec.get("mark"):
            client.setsockopt(socket.SOL_SOCKET, SO_MARK, spec["mark"])
        if spec.get("device"):
            client.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, spec["device"].encode() + b"\0")
        if spec.get("broadcast"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.bind((spec.get("source") or ("::" if six else "0.0.0.0"), spec["sourcePort"]))
        return client

    def transmit(self, client, spec):
        to = (spec["destination"], spec["destinationPort"])
        if spec["protocol"] == "tcp":
            client.connect(to)
        elif spec["protocol"] == "udp":
            # As a resolver does: it takes answers from whom it asked alone.
            client.connect(to)
            client.send(b"u" * spec["payloadBytes"])
        else:
            kind = 128 if spec["family"] == 6 else 8
            header = struct.pack("!BBHHH", kind, 0, 0, 0, 1)
            client.sendto(header + b"i" * max(0, spec["payloadBytes"] - 8), (spec["destination"], 0))

    # Requests

    STEPS = {
        "namespaces": create,
        "sysctl": sysctl,
        "run": run,
        "xdp": xdp,
        "wait-up": wait_up,
        "files": files,
        "listen": listen,
        "watch": watch,
        "send": send,
        "settle": settle,
    }

    def serve(self, request):
        results = []
        try:
            for step in request["steps"]:
                done = self.STEPS[step["do"]](self, step) or {}
                results.append(done)
                if step.get("must") and done.get("code", 0) != 0:
                    return {"results": results, "failed": f"{step.get('argv')}: {done['err'].strip()}"}
            return {"results": results}
        except Exception as problem:  # an answer for each request, whatever happens
            return {"results": results, "failed": f"{type(problem).__name__}: {problem}"}
        finally:
            self.clear()


def main():
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    driver = Driver()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(driver.serve(json.loads(line))) + "\n")
        sys.stdout.flush()


main()
