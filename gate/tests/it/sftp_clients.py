"""Other SFTP clients through the gate: sftp_clients.py CLIENT SOCKET HEAD DIRECTORY."""

import asyncio
import os
import socket
import sys
import warnings

warnings.filterwarnings("ignore")

client, gate, head, directory = sys.argv[1:]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(gate)
    with open(head, "rb") as f:
        s.sendall(f.read())
    line = b""
    while not line.endswith(b"\n"):
        line += s.recv(1)
    assert b'"ok":true' in line, line
    return s


def at(name):
    return os.path.join(directory, name)


def refused(f):
    try:
        f()
    except OSError as error:
        return str(error)
    raise SystemExit("it was not refused")


def paramiko_sftp():
    import paramiko

    transport = paramiko.Transport(connect())
    transport.start_client(timeout=10)
    transport.auth_none("anyone")
    return transport, paramiko.SFTPClient.from_transport(transport)


def paramiko_all():
    transport, sftp = paramiko_sftp()
    sftp.mkdir(at("dir"))
    sftp.put(at("local"), at("dir/up"))
    sftp.get(at("dir/up"), at("down"))
    assert open(at("down"), "rb").read() == open(at("local"), "rb").read()
    assert sftp.listdir(at("dir")) == ["up"]
    # A file that is read and written in place, seen by its client before anyone decides.
    with sftp.open(at("dir/up"), "r+b") as f:
        f.seek(10)
        f.write(b"PATCH")
        f.seek(8)
        assert f.read(10) == open(at("local"), "rb").read()[8:10] + b"PATCH" + open(
            at("local"), "rb"
        ).read()[15:18]
    patched = bytearray(open(at("local"), "rb").read())
    patched[10:15] = b"PATCH"
    assert sftp.open(at("dir/up"), "rb").read() == bytes(patched)
    with sftp.open(at("dir/up"), "ab") as f:
        f.write(b"tail")
    assert sftp.stat(at("dir/up")).st_size == len(patched) + 4
    sftp.truncate(at("dir/up"), 7)
    sftp.posix_rename(at("dir/up"), at("dir/moved"))
    sftp.symlink("moved", at("dir/link"))
    assert sftp.readlink(at("dir/link")) == "moved"
    assert sftp.normalize(at("dir/link")) == os.path.realpath(at("dir/moved"))
    sftp.chmod(at("dir/moved"), 0o600)
    sftp.utime(at("dir/moved"), (1000, 2000))
    assert sftp.stat(at("dir/moved")).st_mtime == 2000
    sftp.remove(at("dir/link"))
    sftp.remove(at("dir/moved"))
    sftp.rmdir(at("dir"))
    transport.close()


def paramiko_denied():
    transport, sftp = paramiko_sftp()
    # paramiko drops the answer to a CLOSE: it must not take the upload for done.
    for name in ["new", "old"]:
        error = refused(lambda: sftp.put(at("local"), at(name)))
        assert "command denied" in error, error
    assert "command denied" in refused(lambda: sftp.mkdir(at("dir")))
    # Said once: what is there can be looked at again.
    assert sftp.stat(at("old")).st_size == os.stat(at("old")).st_size
    transport.close()


async def asyncssh_all():
    import asyncssh

    # This version cannot be given a socket: a relay on a port of this machine.
    async def relay(reader, writer):
        to_reader, to_writer = await asyncio.open_connection(sock=connect())

        async def copy(source, sink):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    options = dict(port=port, known_hosts=None, username="anyone", client_keys=None)
    async with asyncssh.connect("127.0.0.1", **options) as connection:
        async with connection.start_sftp_client() as sftp:
            names = [f"many{n}" for n in range(8)]
            for name in names:
                with open(at(name), "wb") as f:
                    f.write(os.urandom(100_000))
            await sftp.mkdir(at("there"))
            await asyncio.gather(*(sftp.put(at(n), at("there/" + n)) for n in names))
            for name in names:
                assert open(at(name), "rb").read() == open(at("there/" + name), "rb").read()
            await sftp.symlink("many0", at("there/link"))
            assert os.readlink(at("there/link")) == "many0"
            await sftp.rmtree(at("there"))
    assert not os.path.exists(at("there"))


if client == "paramiko":
    paramiko_all()
elif client == "paramiko-denied":
    paramiko_denied()
else:
    asyncio.run(asyncssh_all())
