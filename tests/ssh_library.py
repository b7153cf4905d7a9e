"""Runs one command on a host with an SSH library, and exits as the command did.

usage: ssh_library.py WAY HOST PORT USER COMMAND

Ways: paramiko, asyncssh and dumb lead the library to the gate as docs/LIBRARIES.md says; paramiko-key,
paramiko-agent, asyncssh-key and asyncssh-agent let it log in by itself.
"""
import asyncio
import os
import socket
import sys
import warnings

warnings.simplefilter("ignore")
way, host, port, user, command = sys.argv[1:]
port = int(port)
library, _, how = way.partition("-")
key = os.path.expanduser("~/.ssh/id_ed25519")


def run_paramiko():
    import paramiko

    client = paramiko.SSHClient()
    if how:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            host,
            port,
            user,
            key_filename=key if how == "key" else None,
            allow_agent=how == "agent",
            look_for_keys=how == "key",
        )
    else:
        sock = socket.create_connection(os.environ["EXPACTI_SSH_PROXY"].rsplit(":", 1))
        sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
        answer = sock.recv(4096)
        assert b" 200 " in answer, answer
        client.load_host_keys(os.environ["EXPACTI_KNOWN_HOSTS"])
        client.connect(
            "expacti-gate",
            username=user,
            password="",
            sock=sock,
            allow_agent=False,
            look_for_keys=False,
        )
    _, out, err = client.exec_command(command)
    text, errors = out.read().decode(), err.read().decode()
    status = out.channel.recv_exit_status()
    client.close()
    return text, errors, status


async def run_asyncssh():
    import asyncssh

    if how:
        # By itself it takes the agent of the environment, and the usual keys.
        own = {"client_keys": [key], "agent_path": None} if how == "key" else {}
        options = {"known_hosts": None, **own}
    else:
        proxy = os.environ["EXPACTI_SSH_PROXY"]
        options = {
            "proxy_command": ["nc", "-X", "connect", "-x", proxy, host, str(port)],
            "known_hosts": os.environ["EXPACTI_KNOWN_HOSTS"],
            "host_key_alias": "expacti-gate",
        }
    async with asyncssh.connect(host, port, username=user, **options) as connection:
        result = await connection.run(command)
    return result.stdout, result.stderr, result.exit_status


def run_dumb():
    """Only the proxy's answer, for what is not let in."""
    sock = socket.create_connection(os.environ["EXPACTI_SSH_PROXY"].rsplit(":", 1), timeout=30)
    try:
        sock.sendall(command.encode().decode("unicode_escape").encode())
        # Some words of its own, as every client has them.
        answer = sock.recv(4096)
    except ConnectionError:
        answer = b""
    return answer.decode(), "", 0 if answer else 1


if library == "paramiko":
    result = run_paramiko()
elif library == "asyncssh":
    result = asyncio.run(run_asyncssh())
else:
    result = run_dumb()
sys.stdout.write(result[0])
sys.stderr.write(result[1])
sys.exit(result[2])
