// Runs one command on a host with ssh2, led to the gate as docs/LIBRARIES.md says, and exits as the
// command did.
//
// usage: node ssh_library.js WAY HOST PORT USER COMMAND
const { readFileSync } = require("fs");
const { connect } = require("net");
const { Client } = require("ssh2");

const [, host, port, username, command] = process.argv.slice(2);
const [proxy, number] = process.env.EXPACTI_SSH_PROXY.split(":");
const key = readFileSync(process.env.EXPACTI_KNOWN_HOSTS, "utf8").split(" ")[2].trim();

const sock = connect(number, proxy, () => sock.write(`CONNECT ${host}:${port} HTTP/1.1\r\n\r\n`));
sock.once("data", (answer) => {
  if (!answer.includes(" 200 ")) throw new Error(answer);
  const client = new Client();
  client.on("ready", () =>
    client.exec(command, (error, stream) => {
      if (error) throw error;
      stream.on("data", (data) => process.stdout.write(data));
      stream.stderr.on("data", (data) => process.stderr.write(data));
      stream.on("exit", (status) => {
        process.exitCode = status;
        client.end();
      });
    }),
  );
  client.connect({ sock, username, hostVerifier: (offered) => offered.toString("base64") === key });
});
