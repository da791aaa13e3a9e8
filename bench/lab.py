"""What every part of the benchmark needs: a network of its own, processes on their cores, the upstream, the load."""

import contextlib
import ctypes
import dataclasses
import fcntl
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import servers

ADDRESS = "127.0.0.1"
NAMES = 10_000
CACHED, MISSES = "cached", "misses"
READY_SECONDS = 15
READY_NAME = "ready.bench.example"
STOP_SECONDS = 3


class Failed(Exception):
    """The benchmark cannot go on; the text says why."""


@dataclasses.dataclass
class Settings:
    build: pathlib.Path
    rounds: int
    seconds: int
    window: int
    edns: bool
    server_core: int
    load_core: int
    isolated: bool


def isolate_network():
    """Moves us and what we start into a network of our own, with nothing but loopback: no other socket can have our
    ports, and the machine's packet filter is not measured with the server. Without root this takes a user namespace;
    where the machine allows none, False: we go on in its network."""
    new_user, new_network = 0x10000000, 0x40000000
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_network if user == 0 else new_user | new_network) != 0:
        return False
    try:
        if user != 0:
            pathlib.Path("/proc/self/setgroups").write_text("deny")
            pathlib.Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            pathlib.Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        set_flags, up = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, set_flags, struct.pack("16sH22x", b"lo", up))
    except OSError as error:
        raise Failed(f"the network of our own has no loopback: {error}") from error
    return True


def pin(cores, at_once=False):
    """What a child does before it becomes the program: it takes its cores and ends with us. With `at_once` it runs as
    soon as it can, before whatever else has the core."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, cores)
        if at_once:
            run_at_once(0)

    return prepare


def run_at_once(thread):
    """Lets a thread run before whatever else has its core, which only root may say."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))


def prefer(pid):
    """Asks the kernel to let others wait for this process, so that their work shows less; only root may."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)


class Process:
    """A server that was started, alone on its core. stop() ends it, whatever state it is in."""

    def __init__(self, command, core, folder):
        self.command = command
        self.log = folder / "log"
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal comes to us alone, and we stop everything in order.
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                preexec_fn=pin({core}),
                start_new_session=True,
            )
        prefer(self.child.pid)

    @property
    def pid(self):
        return self.child.pid

    def check(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.command[0]} ended with {self.child.returncode}:\n{self.last_words()}")

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self, patience=STOP_SECONDS):
        self.child.terminate()
        try:
            self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def cpu_seconds(self):
        """User and system time of all its threads, from the scheduler's own account: the tick counters of
        /proc/PID/stat miss much of a program that sleeps between batches."""
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(pathlib.Path(path).read_text().split()[0])
        return total / 1e9

    def thread_seconds(self):
        """The same of each thread, as {(number, name): seconds}."""
        seconds = {}
        for folder in glob.glob(f"/proc/{self.pid}/task/*"):
            with contextlib.suppress(OSError):
                name = pathlib.Path(folder, "comm").read_text().strip()
                spent = int(pathlib.Path(folder, "schedstat").read_text().split()[0]) / 1e9
                seconds[(int(pathlib.Path(folder).name), name)] = spent
        return seconds

    def threads(self):
        """{number: name}"""
        names = {}
        for folder in glob.glob(f"/proc/{self.pid}/task/*"):
            with contextlib.suppress(OSError):
                names[int(pathlib.Path(folder).name)] = pathlib.Path(folder, "comm").read_text().strip()
        return names

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


def free_port():
    """A port that nobody has, for TCP and UDP alike. Without SO_REUSEPORT a bind fails where anybody has it."""
    for _ in range(64):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        ):
            stream.bind((ADDRESS, 0))
            port = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagram.bind((ADDRESS, port))
                return port
    raise Failed("no port is free for TCP and UDP alike")


def query_for(name, number):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def ask(port, name, seconds):
    """Whether a query for `name` is answered with NOERROR."""
    query = query_for(name, 4711)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.connect((ADDRESS, port))
        try:
            client.send(query)
            reply = client.recv(4096)
        except OSError:
            return False
    return reply[:2] == query[:2] and reply[3] & 0x0F == 0


def check_port_is_owned(port, process):
    """One UDP socket has the port, the process's: another that joined by SO_REUSEPORT would take part of the load."""
    suffix = f":{port:04X}"
    inodes = [
        fields[9]
        for table in ("/proc/net/udp", "/proc/net/udp6")
        for fields in (line.split() for line in pathlib.Path(table).read_text().splitlines()[1:])
        if fields[1].endswith(suffix) and fields[2].endswith(":0000")
    ]
    own = set()
    for descriptor in glob.glob(f"/proc/{process.pid}/fd/*"):
        with contextlib.suppress(OSError):
            own.add(os.readlink(descriptor))
    if len(inodes) != 1 or f"socket:[{inodes[0]}]" not in own:
        raise Failed(f"{process.command[0]} should have UDP port {port} alone, {len(inodes)} sockets have it")


def wait_until_ready(process, port, name=READY_NAME):
    end = time.monotonic() + READY_SECONDS
    while not ask(port, name, 0.5):
        process.check()
        if time.monotonic() > end:
            raise Failed(f"{process.command[0]} did not answer within {READY_SECONDS} s:\n{process.last_words()}")
        time.sleep(0.05)
    check_port_is_owned(port, process)


def make_certificates(folder):
    """A CA that lives as long as this run, and the upstream's certificate of it: (CA, certificate, key)."""
    ca_key, ca = folder / "ca.key", folder / "ca.pem"
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName=DNS:{servers.AUTH_NAME}\nextendedKeyUsage=serverAuth\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for arguments in (
        ["req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=bench CA",
         "-addext", "keyUsage=critical,keyCertSign"],
        ["req", "-new", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={servers.AUTH_NAME}"],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
         "-extfile", extensions, "-out", certificate],
    ):  # fmt: skip
        done = subprocess.run(
            ["openssl", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode != 0:
            raise Failed(f"openssl {arguments[0]}: {done.stdout}")
    return ca, certificate, key


class Lab:
    """The upstream, the names, and the servers that were started; leaving it ends them all."""

    def __init__(self, settings):
        self.settings = settings
        self.unique_asked = 0
        self._exit = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as exit_now:
            self.folder = pathlib.Path(exit_now.enter_context(tempfile.TemporaryDirectory(prefix="dotward-bench-")))
            self.folder.chmod(0o755)
            self._exit = exit_now
            self.names_file = self.folder / "names"
            self.names_file.write_text("".join(f"host-{i:05}.cached.bench.example\n" for i in range(NAMES)))
            self.certificates = ca, certificate, key = make_certificates(self.folder)
            port = free_port()
            self.upstream = servers.Upstream(ADDRESS, port, ca)
            self.responder = self.start(
                [self.settings.build / "bench" / "bench_dot_responder", f"{ADDRESS}:{port}", certificate, key],
                self.settings.load_core,
            )
            wait_until_ready(self.responder, port)
            self._exit = exit_now.pop_all()
        return self

    def __exit__(self, *error):
        self._exit.close()

    def new_folder(self, prefix=""):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder, prefix=prefix))

    def start(self, command, core, folder=None):
        if folder is None:
            folder = self.new_folder()
        process = Process([str(part) for part in command], core, folder)
        self._exit.callback(process.stop)
        return process

    def start_server(self, server, core=None, upstream=None, ready=READY_NAME, **sizes):
        """`sizes` are those of servers.Launch; core and upstream are the usual ones where none are given."""
        folder = self.new_folder(server.name.replace(" ", "-") + "-")
        port = free_port()
        launch = servers.Launch(folder, ADDRESS, port, upstream or self.upstream, self.settings.build, **sizes)
        process = self.start(server.command(launch), self.settings.server_core if core is None else core, folder)
        wait_until_ready(process, port, ready)
        return process, port, folder

    def load(self, port, kind, *arguments):
        """Runs the load against a server to its end; what it counted."""
        if kind == CACHED:
            names = ["--names", self.names_file]
        else:
            names = ["--unique", "miss.bench.example", "--first", self.unique_asked]
        counts = Load(self.settings, port, *names, *arguments).wait()
        if kind == MISSES:
            self.unique_asked += counts["sent"]
        return counts


class Load:
    """The load, which runs. wait() gives what it counted when it has ended by itself, end() ends it before."""

    def __init__(self, settings, port, *arguments, at_once=False):
        self.port = port
        command = [settings.build / "bench" / "bench_load", "--server", f"{ADDRESS}:{port}", *arguments]
        if settings.edns:
            command.append("--edns")
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pin({settings.load_core}, at_once),
            start_new_session=True,
        )
        prefer(self.child.pid)

    def wait(self):
        try:
            output, _ = self.child.communicate()
        finally:
            self.child.kill()
            self.child.wait()
        if self.child.returncode != 0:
            raise Failed(f"the load on port {self.port} ended with {self.child.returncode}")
        return json.loads(output)

    def end(self):
        self.child.terminate()
        return self.wait()


def spent_on(process, ask):
    """What `ask` counted, and the seconds of the processor that the process took for it: read while it is idle, before
    and after, so that they are exact."""
    before = process.cpu_seconds()
    counts = ask()
    time.sleep(0.02)
    process.check()
    return counts, process.cpu_seconds() - before


class ControlQuestion:
    """What `dotward COMMAND --json` sends, without the time that a process takes to start."""

    def __init__(self, path, command, **more):
        self.path = str(path)
        self.request = json.dumps({"schema": 1, "command": command, **more}).encode() + b"\n"

    def last_line(self):
        """The last line of what comes, which may be much more than should be kept. Where there are many, it tells of
        all."""
        buffer = bytearray(1 << 20)
        tail = b""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(60)
            client.connect(self.path)
            client.sendall(self.request)
            while octets := client.recv_into(buffer):
                tail = (tail + buffer[:octets])[-65536:]
        return json.loads(tail.splitlines()[-1])

    def ask(self):
        """Whether there was a good answer."""
        reply = self.last_line()
        return reply["schema"] == 1 and "error" not in reply


def busy_seconds(core):
    """Seconds that a core has worked since the start of the machine, for anybody; by ticks, so roughly."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0
