import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

const noPlugins = !existsSync("/usr/lib/cni/bridge") && "CNI's reference plugins are not where the engine looks";
const isReference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";
const LEASES = `/tmp/boxship-e2e-cni-${process.pid}`;

let engine: EngineUnderTest;
let serial = 0;

const withEach = (task: (docker: DockerClient, name: string) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker, `n${process.pid}-${serial++}`);
};

describe("networks through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(LEASES, { recursive: true, force: true });
  });

  async function start(docker: DockerClient, name: string, ...flags: string[]): Promise<void> {
    await docker.ok(["run", "-d", "--name", name, ...flags, IMAGE, "sleep", "1000"]);
  }

  function inside(docker: DockerClient, name: string, command: string): Promise<string> {
    return docker.ok(["exec", name, "sh", "-c", command]);
  }

  test(
    "a link follows a container whose address changes, in /etc/hosts and in an exec's environment",
    withEach(async (docker, name) => {
      const [target, linked, other] = [`${name}-t`, `${name}-l`, `${name}-o`];
      await start(docker, target);
      await start(docker, linked, "--link", `${target}:store`);
      assert.match(await inside(docker, linked, "env"), new RegExp(`^STORE_NAME=/${linked}/store$`, "m"));
      await inside(docker, linked, "echo 1.2.3.4 mine >> /etc/hosts");
      await docker.ok(["stop", "-t", "0", target]);
      await start(docker, other);
      await docker.ok(["start", target]);
      const address = await docker.ok(["inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", target]);
      const hosts = await inside(docker, linked, "grep -E 'store|mine' /etc/hosts");
      const lines = hosts.split("\n").map((line) => line.split(/\s+/, 2).join(" "));
      assert.deepEqual(lines.sort(), ["1.2.3.4 mine", `${address} store`]);
      await docker.ok(["rm", "-f", target, linked, other]);
    }),
  );

  test(
    "options of the address driver are kept as they were given, none as none",
    withEach(async (docker, name) => {
      const shown = () => docker.ok(["network", "inspect", "-f", "{{json .IPAM.Options}}", name]);
      await docker.ok(["network", "create", "--ipam-opt", "foo=bar", name]);
      assert.equal(await shown(), '{"foo":"bar"}');
      await docker.ok(["network", "rm", name]);
      await docker.ok(["network", "create", name]);
      assert.equal(await shown(), "{}");
      await docker.ok(["network", "rm", name]);
      assert.equal(await docker.ok(["network", "inspect", "-f", "{{json .IPAM.Options}}", "bridge"]), "null");
    }),
  );

  test(
    "a running container joins with addresses and aliases of its choice, and leaves",
    withEach(async (docker, name) => {
      const octet = 100 + serial;
      await docker.ok(["network", "create", "--subnet", `10.88.${octet}.0/24`, name]);
      await start(docker, `${name}-a`);
      await start(docker, `${name}-b`, "--network", name);
      const address = `10.88.${octet}.77`;
      const flags = ["--ip", address, "--alias", "wanted", "--link-local-ip", "169.254.7.7"];
      await docker.ok(["network", "connect", ...flags, name, `${name}-a`]);
      assert.match(await inside(docker, `${name}-a`, "ip address show dev eth1"), /169\.254\.7\.7\/16/);
      assert.match(
        await inside(docker, `${name}-b`, "ping -c 1 -W 3 wanted"),
        new RegExp(address.replaceAll(".", "\\.")),
      );
      const shown = await docker.ok([
        "inspect",
        "-f",
        `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`,
        `${name}-a`,
      ]);
      assert.equal(shown, address);
      const again = await docker.run(["network", "connect", name, `${name}-a`]);
      assert.match(again.stderr, /already exists in network/);
      // Docker 20.10 forgets the other networks' lines as well when it leaves one.
      const hosts = () => inside(docker, `${name}-a`, "cat /etc/hosts");
      assert.match(await hosts(), new RegExp(`^${address.replaceAll(".", "\\.")}\\t`, "m"));
      assert.match(await inside(docker, `${name}-a`, `ping -c 1 -W 3 ${name}-b`), /1 packets received/);
      assert.match(await inside(docker, `${name}-a`, "ip address show dev eth1"), new RegExp(`brd 10.88.${octet}.255`));
      const resolvers = await inside(docker, `${name}-a`, "cat /etc/resolv.conf");
      assert.match(resolvers, /127\.0\.0\.11/);
      await inside(docker, `${name}-a`, "echo 1.2.3.4 mine >> /etc/hosts");
      await docker.ok(["network", "disconnect", name, `${name}-a`]);
      assert.doesNotMatch(await hosts(), new RegExp(address.replaceAll(".", "\\.")));
      assert.match(await hosts(), /1\.2\.3\.4 mine/);
      const alone = await inside(docker, `${name}-a`, "cat /etc/resolv.conf");
      if (!isReference) assert.doesNotMatch(alone, /127\.0\.0\.11/);
      const left = await docker.run(["network", "disconnect", name, `${name}-a`]);
      assert.match(left.stderr, /is not connected to/);
      assert.notEqual((await docker.run(["exec", `${name}-a`, "ip", "link", "show", "dev", "eth1"])).status, 0);
      assert.notEqual((await docker.run(["exec", `${name}-b`, "ping", "-c", "1", "-W", "1", "wanted"])).status, 0);
      await docker.ok(["rm", "-f", `${name}-a`, `${name}-b`]);
      await docker.ok(["network", "rm", name]);
    }),
  );

  test(
    "a port that another container has is refused in Docker's words",
    withEach(async (docker, name) => {
      await start(docker, `${name}-a`, "-p", "127.0.0.1:0:80");
      const port = /:(\d+)$/m.exec(await docker.ok(["port", `${name}-a`, "80/tcp"]))?.[1] ?? "";
      const second = await docker.run(["run", "--rm", "-p", `127.0.0.1:${port}:80`, IMAGE, "true"]);
      assert.equal(second.status, 125);
      assert.match(
        second.stderr,
        new RegExp(
          `driver failed programming external connectivity on endpoint .*Bind for 127\\.0\\.0\\.1:${port} failed: port is already allocated`,
        ),
      );
      await docker.ok(["rm", "-f", `${name}-a`]);
    }),
  );

  test(
    "resolver settings, extra hosts and links are in the container's files",
    withEach(async (docker, name) => {
      await start(docker, `${name}-db`, "--expose", "5432-5434", "--expose", "53/udp", "-e", "DATA=x=y");
      const flags = ["--dns", "192.0.2.53", "--dns-search", "a.test", "--dns-option", "timeout:1"];
      await start(docker, `${name}-web`, ...flags, "--add-host", "there:192.0.2.9", "--link", `${name}-db:store`);
      const resolv = await inside(docker, `${name}-web`, "cat /etc/resolv.conf");
      for (const line of ["nameserver 192.0.2.53", "search a.test", "options timeout:1"]) {
        assert.ok(resolv.split("\n").includes(line), resolv);
      }
      const hosts = await inside(docker, `${name}-web`, "cat /etc/hosts");
      assert.match(hosts, /192\.0\.2\.9\tthere/);
      assert.match(hosts, /\tstore /);
      assert.match(await inside(docker, `${name}-web`, "ping -c 1 -W 3 store"), /1 packets received/);
      const environ = await inside(docker, `${name}-web`, "tr '\\0' '\\n' </proc/1/environ | grep ^STORE_");
      const address = /(\S+)\tstore /.exec(hosts)?.[1] ?? "";
      const told = environ.replaceAll(address, "ADDRESS").replaceAll(name, "NAME").split("\n");
      assert.deepEqual(told.sort(), LINK_VARIABLES.toSorted());
      await docker.ok(["rm", "-f", `${name}-db`, `${name}-web`]);
    }),
  );

  test(
    "macvlan without a parent joins its members",
    { skip: isReference && "Docker needs a kernel with dummy links for it" },
    withEach(async (docker, name) => {
      await docker.ok(["network", "create", "-d", "macvlan", "--subnet", `10.89.${serial}.0/24`, name]);
      await start(docker, `${name}-a`, "--network", name);
      await start(docker, `${name}-b`, "--network", name);
      assert.match(await inside(docker, `${name}-a`, `ping -c 1 -W 3 ${name}-b`), /1 packets received/);
      // At once again with the address of before.
      await docker.ok(["restart", "-t", "0", `${name}-b`]);
      assert.match(await inside(docker, `${name}-a`, `ping -c 1 -W 3 ${name}-b`), /1 packets received/);
      await docker.ok(["rm", "-f", `${name}-a`, `${name}-b`]);
      await docker.ok(["network", "rm", name]);
    }),
  );

  test(
    "a CNI configuration is a network: names, addresses, published ports, restart",
    { skip: isReference ? "Docker has no such driver" : noPlugins },
    withEach(async (docker, name) => {
      const subnet = `10.90.${serial}.0/24`;
      await docker.ok(["network", "create", "-d", "cni", "-o", `conflist=${conflist(name, subnet)}`, name]);
      assert.equal(await docker.ok(["network", "inspect", "-f", "{{.Driver}} {{.IPAM.Driver}}", name]), "cni cni");
      const serve = ["nc", "-ll", "-p", "80", "-e", "echo", "hello"];
      await docker.ok(["run", "-d", "--name", `${name}-a`, "--network", name, "-p", "127.0.0.1:0:80", IMAGE, ...serve]);
      await start(docker, `${name}-b`, "--network", name);
      assert.match(await inside(docker, `${name}-b`, `ping -c 1 -W 3 ${name}-a`), /10\.90\./);
      assert.equal(await inside(docker, `${name}-b`, `nc ${name}-a 80 </dev/null`), "hello");
      await docker.ok(["restart", "-t", "0", `${name}-a`]);
      assert.equal(await inside(docker, `${name}-b`, `sleep 1; nc ${name}-a 80 </dev/null`), "hello");
      await docker.ok(["rm", "-f", `${name}-a`, `${name}-b`]);
      await docker.ok(["network", "rm", name]);
      // The plugin keeps its bridge, whoever is on it.
      execFileSync("ip", ["link", "delete", cniBridge()]);
    }),
  );
});

/** What Docker tells of a container that exposes 53/udp and 5432 to 5434/tcp. */
const LINK_VARIABLES = [
  "STORE_ENV_DATA=x=y",
  "STORE_NAME=/NAME-web/store",
  "STORE_PORT=udp://ADDRESS:53",
  "STORE_PORT_5432_TCP=tcp://ADDRESS:5432",
  "STORE_PORT_5432_TCP_ADDR=ADDRESS",
  "STORE_PORT_5432_TCP_END=tcp://ADDRESS:5434",
  "STORE_PORT_5432_TCP_PORT=5432",
  "STORE_PORT_5432_TCP_PORT_END=5434",
  "STORE_PORT_5432_TCP_PORT_START=5432",
  "STORE_PORT_5432_TCP_PROTO=tcp",
  "STORE_PORT_5432_TCP_START=tcp://ADDRESS:5432",
  "STORE_PORT_5433_TCP=tcp://ADDRESS:5433",
  "STORE_PORT_5433_TCP_ADDR=ADDRESS",
  "STORE_PORT_5433_TCP_PORT=5433",
  "STORE_PORT_5433_TCP_PROTO=tcp",
  "STORE_PORT_5434_TCP=tcp://ADDRESS:5434",
  "STORE_PORT_5434_TCP_ADDR=ADDRESS",
  "STORE_PORT_5434_TCP_PORT=5434",
  "STORE_PORT_5434_TCP_PROTO=tcp",
  "STORE_PORT_53_UDP=udp://ADDRESS:53",
  "STORE_PORT_53_UDP_ADDR=ADDRESS",
  "STORE_PORT_53_UDP_PORT=53",
  "STORE_PORT_53_UDP_PROTO=udp",
];

function cniBridge(): string {
  return `bxc${process.pid % 10_000}-${serial}`;
}

function conflist(name: string, subnet: string): string {
  const bridge = {
    type: "bridge",
    bridge: cniBridge(),
    isGateway: true,
    ipMasq: false,
    ipam: { type: "host-local", dataDir: LEASES, ranges: [[{ subnet }]], routes: [{ dst: "0.0.0.0/0" }] },
  };
  return JSON.stringify({ cniVersion: "1.0.0", name, plugins: [bridge] });
}
