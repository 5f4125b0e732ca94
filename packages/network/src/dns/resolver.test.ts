import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bindSocket, inNamespace, openNamespace } from "@boxship/kernel";
import type { NetworkManager } from "../manager.ts";
import { container, type TestContainer, TestHost } from "../testing/host.ts";
import { encodeAnswer, parseQuestion, ResponseCode } from "./message.ts";
import { FrameReader, frame } from "./upstreams.ts";

interface TestDns extends Disposable {
  readonly asked: readonly string[];
}

/** `big.test` has a hundred addresses, `web.test` one, `silent.test` no answer, everything else none. */
function respondWith(message: Buffer, asked: string[], limit?: number): Buffer | undefined {
  const question = parseQuestion(message);
  if (question === undefined || question.name === "silent.test") return undefined;
  asked.push(`${limit === undefined ? "tcp" : "udp"} ${question.name}`);
  const count = question.name === "big.test" ? 100 : question.name === "web.test" ? 1 : 0;
  const records = Array.from({ length: question.type === 1 ? count : 0 }, (_, index) => {
    return { type: "address", address: `198.51.100.${index}`, ttl: 60 } as const;
  });
  const code = count === 0 ? ResponseCode.NameError : ResponseCode.NoError;
  return encodeAnswer(question, { code, records }, limit);
}

/** A DNS server in a namespace: `big.test` has more records than UDP takes, `web.test` one, everything else none. */
function serveDns(namespace: string, address: string, behave = respondWith): TestDns {
  using entered = openNamespace(namespace);
  const [udpFd, tcpFd] = inNamespace(entered, "net", () => [
    bindSocket({ protocol: "udp", address, port: 53 }).fd.release(),
    bindSocket({ protocol: "tcp", address, port: 53 }).fd.release(),
  ]);
  const asked: string[] = [];
  const respond = (message: Buffer, limit?: number): Buffer | undefined => behave(message, asked, limit);
  const udp = createSocket("udp4");
  udp.on("message", (message, client) => {
    const answer = respond(message, 512);
    if (answer !== undefined) udp.send(answer, client.port, client.address);
  });
  udp.bind({ fd: udpFd });
  const tcp = createServer((socket) => {
    const frames = new FrameReader();
    socket.on("data", (data: Buffer) => {
      for (const message of frames.push(data)) {
        const answer = respond(message);
        if (answer !== undefined) socket.write(frame(answer));
      }
    });
    socket.on("error", () => {});
  });
  tcp.listen({ fd: tcpFd });
  return {
    asked,
    [Symbol.dispose]() {
      udp.close();
      tcp.close();
    },
  };
}

describe("the resolver", () => {
  let host: TestHost;
  let manager: NetworkManager;
  let upstream: TestDns;
  let commands = 0;

  before(async () => {
    host = new TestHost();
    manager = await host.open();
    upstream = serveDns(host.outside, "203.0.113.9");
    await manager.createNetwork({ name: "front", enableIPv6: true });
    await manager.createNetwork({ name: "back" });
  });

  after(async () => {
    upstream[Symbol.dispose]();
    await host[Symbol.asyncDispose]();
  });

  /** Runs a command in a container, with its own resolv.conf and hosts file in place of the machine's. */
  async function inside(member: TestContainer, command: string): Promise<string> {
    // Files of its own: another command of the same container may be reading its.
    const files = join(host.directory, `${member.id}.${commands++}`);
    const resolv = `${files}.resolv`;
    const hosts = `${files}.hosts`;
    writeFileSync(resolv, manager.resolvConf(member.id));
    writeFileSync(hosts, manager.hostsFile(member.id));
    const mounts = `mount --bind ${resolv} /etc/resolv.conf && mount --bind ${hosts} /etc/hosts`;
    return await host.run(`unshare -m sh -c "${mounts} && ${command}"`, member.path);
  }

  /** The addresses that nslookup prints for a name, sorted; or its complaint. */
  async function lookup(member: TestContainer, name: string): Promise<string[]> {
    const text = await inside(member, `nslookup ${name}. 2>&1 || true`);
    const answer = text.split("\n").slice(2).join("\n");
    const found = [...answer.matchAll(/Address: (\S+)/g)].map((match) => match[1] ?? "");
    return found.length > 0 ? found.sort() : [/NXDOMAIN|SERVFAIL|No answer|timed out/.exec(answer)?.[0] ?? answer];
  }

  it("finds others by name, alias, short id and host name, and them only on its own networks", async () => {
    const web = await container(manager, "web", [{ networkId: "front", aliases: ["site", "Www"] }], {
      hostname: "web-host",
    });
    const db = await container(manager, "db", ["back"]);
    const one = await container(manager, "one", ["front"]);
    const expected = [web.ipv4, web.ipv6].sort();
    for (const name of ["web", "WEB", "site", "www", web.id.slice(0, 12), "web-host", "web.front", "one"]) {
      assert.deepEqual(await lookup(one, name), name === "one" ? [one.ipv4, one.ipv6].sort() : expected, name);
    }
    assert.deepEqual(await lookup(one, "db"), ["NXDOMAIN"]);
    await manager.connect({
      sandboxId: one.id,
      networkId: "back",
      name: "one",
      links: [{ target: "db", alias: "store" }],
    });
    assert.deepEqual(await lookup(one, "db"), [db.ipv4]);
    assert.deepEqual(await lookup(one, "store"), [db.ipv4]);
    assert.deepEqual(await lookup(db, "store"), ["NXDOMAIN"]);
    // Through the C library, as programs do.
    assert.match(await inside(one, "getent ahostsv4 site"), new RegExp(`^${web.ipv4} `));
    assert.match(await inside(one, `getent hosts ${web.ipv4}`), /web\.front/);
    assert.match(await inside(one, `getent hosts ${web.ipv6}`), /web\.front/);
    await manager.renameSandbox(web.id, "renamed");
    assert.deepEqual(await lookup(one, "renamed"), expected);
    assert.deepEqual(await lookup(one, "web"), ["NXDOMAIN"]);
    await manager.disconnect(one.id, "back");
    assert.deepEqual(await lookup(one, "db"), ["NXDOMAIN"]);
    for (const { id } of [web, db, one]) await manager.removeSandbox(id);
    assert.equal(await host.run("cat /proc/net/nf_conntrack | grep -c 127.0.0.11 || true"), "0");
  });

  it("takes turns between those who share an alias", async () => {
    const shared = [{ networkId: "back", aliases: ["pool"] }];
    const members = [await container(manager, "m1", shared), await container(manager, "m2", shared)];
    const one = await container(manager, "one", ["back"]);
    assert.deepEqual(await lookup(one, "pool"), members.map(({ ipv4 }) => ipv4).sort());
    const firsts = new Set<string | undefined>();
    for (let attempt = 0; attempt < 20 && firsts.size < 2; attempt++) {
      const text = await inside(one, "nslookup -type=a pool.");
      firsts.add(/Name:\s+pool\.?\s+Address: (\S+)/.exec(text)?.[1]);
    }
    assert.equal(firsts.size, 2);
    // A name that is known has no other records, which is not the same as not existing.
    const mail = await inside(one, "nslookup -type=mx pool. 2>&1 || true");
    assert.doesNotMatch(mail, /NXDOMAIN|SERVFAIL|Address: 172/);
    for (const { id } of [...members, one]) await manager.removeSandbox(id);
  });

  it("asks the host's servers for the rest, and by TCP when the answer is long", async () => {
    const one = await container(manager, "one", ["back"]);
    assert.deepEqual(await lookup(one, "web.test"), ["198.51.100.0"]);
    assert.deepEqual(await lookup(one, "nowhere.test"), ["NXDOMAIN"]);
    const lines = (await inside(one, "getent ahostsv4 big.test")).split("\n").filter((line) => line.includes("STREAM"));
    assert.equal(lines.length, 100);
    assert.ok(upstream.asked.includes("tcp big.test"));
    await manager.removeSandbox(one.id);
  });

  it("a server that hangs holds up one question, and no others", async () => {
    const dns = { servers: ["203.0.113.77", "203.0.113.9"] };
    await host.run("ip address add 203.0.113.77/24 dev eth0", host.outside);
    // Takes questions and says nothing.
    using _hung = serveDns(host.outside, "203.0.113.77", () => undefined);
    const one = await container(manager, "one", ["back"], { dns });
    const timed = async (name: string): Promise<readonly [found: string, milliseconds: number]> => {
      const start = performance.now();
      const [found = ""] = await lookup(one, name);
      return [found, performance.now() - start];
    };
    const slow = timed("web.test");
    for (let round = 0; round < 5; round++) {
      const [address, milliseconds] = await timed("one");
      assert.equal(address, one.ipv4);
      assert.ok(milliseconds < 3000, `${milliseconds} ms for a name of our own`);
    }
    assert.equal((await slow)[0], "198.51.100.0");
    // From now on the one that answers is asked first.
    const [address, milliseconds] = await timed("web.test");
    assert.equal(address, "198.51.100.0");
    assert.ok(milliseconds < 3500, `${milliseconds} ms although another server answers`);
    await manager.removeSandbox(one.id);
  });

  it("asks the container's own servers when it has some, those on its own loopback inside", async () => {
    const id = "d".repeat(64);
    const { path } = await manager.createSandbox(id, { hostname: "own", dns: { servers: ["127.0.0.1"] } });
    await manager.connect({ sandboxId: id, networkId: "back", name: "own" });
    using own = serveDns(path, "0.0.0.0");
    const asked = upstream.asked.length;
    assert.deepEqual(await lookup({ id, path, ipv4: "", ipv6: "" }, "web.test"), ["198.51.100.0"]);
    assert.equal(upstream.asked.length, asked);
    assert.ok(own.asked.includes("udp web.test"));
    await manager.removeSandbox(id);
  });

  it("leaves port 53 to the container", async () => {
    const one = await container(manager, "one", ["back"]);
    using _server = serveDns(one.path, "0.0.0.0");
    assert.deepEqual(await lookup(one, "one"), [one.ipv4]);
    assert.match(await host.run(`nslookup web.test 127.0.0.1`, one.path), /198\.51\.100\.0/);
    await manager.removeSandbox(one.id);
  });

  it("asks nobody on an internal network", async () => {
    await manager.createNetwork({ name: "inner", internal: true });
    const one = await container(manager, "one", ["inner"]);
    const asked = upstream.asked.length;
    assert.deepEqual(await lookup(one, "web.test"), ["NXDOMAIN"]);
    assert.deepEqual(await lookup(one, "one"), [one.ipv4]);
    assert.equal(upstream.asked.length, asked);
    await manager.removeSandbox(one.id);
  });

  it("answers again after a restart", async () => {
    const options = { name: "boxtd" };
    const first = await host.open(options);
    await first.createNetwork({ name: "net" });
    const web = await container(first, "web", ["net"]);
    await first[Symbol.asyncDispose]();
    assert.match(
      await host.run("timeout 1 nslookup web. 127.0.0.11 2>&1 || true", web.path),
      /timed out|refused|terminated|^$/i,
    );
    const second = await host.open(options);
    assert.match(await host.run("nslookup web. 127.0.0.11", web.path), new RegExp(`Address: ${web.ipv4}`));
    await second.destroy();
  });

  it("files of a container say what its networks are", async () => {
    const options = {
      hostname: "web",
      domainname: "example.test",
      dns: { search: ["a.test"], options: ["ndots:2"] },
      extraHosts: [
        { name: "gw", address: "host-gateway" },
        { name: "there", address: "10.1.1.1" },
      ],
    };
    const web = await container(manager, "web", ["front"], options);
    const bridged = await container(manager, "old", ["bridge"]);
    const linked = await container(manager, "new", [{ networkId: "bridge", links: [{ target: "old", alias: "db" }] }]);
    assert.match(manager.resolvConf(web.id), /^nameserver 127\.0\.0\.11\nsearch a\.test\noptions ndots:2\n$/m);
    assert.match(
      manager.resolvConf(bridged.id),
      /^nameserver 203\.0\.113\.9\nsearch example\.test\noptions timeout:1\n$/m,
    );
    const hosts = manager.hostsFile(web.id);
    assert.match(hosts, /^127\.0\.0\.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n/);
    assert.ok(hosts.includes("172.17.0.1\tgw\n10.1.1.1\tthere\n"), hosts);
    assert.ok(hosts.includes(`${web.ipv4}\tweb.example.test web\n${web.ipv6}\tweb.example.test web\n`), hosts);
    assert.ok(manager.hostsFile(linked.id).includes(`${bridged.ipv4}\tdb old\n${linked.ipv4}\tnew\n`));
    assert.match(manager.hostResolvConf(), /^nameserver 203\.0\.113\.9\nsearch example\.test\n/);
    assert.ok(manager.hostHostsFile([{ name: "gw", address: "host-gateway" }]).endsWith("\n172.17.0.1\tgw\n"));
    for (const { id } of [web, bridged, linked]) await manager.removeSandbox(id);
  });
});
