import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bindSocket, NetlinkProtocol, NetlinkSocket, Nftables } from "@boxship/kernel";
import type { PortMapping } from "../contract.ts";
import type { NetworkManager } from "../manager.ts";
import { container, type TestContainer, TestHost } from "../testing/host.ts";

const HOST = "203.0.113.1";
const HOST6 = "2001:db8::1";
const CLIENT = "203.0.113.9";
const CLIENT6 = "2001:db8::9";

describe("published ports", () => {
  let host: TestHost;
  let manager: NetworkManager;

  before(async () => {
    host = new TestHost();
    manager = await host.open();
    await manager.createNetwork({ name: "six", enableIPv6: true });
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function published(name: string, network: string, mappings: readonly PortMapping[]): Promise<TestContainer> {
    const made = await container(manager, name, [network]);
    await manager.publish(made.id, mappings);
    return made;
  }

  it("answer the outside, who is seen as who it is, and localhost", async () => {
    const web = await container(manager, "web");
    const bindings = await manager.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8080 }]);
    assert.deepEqual(bindings, [
      { protocol: "tcp", containerPort: 80, hostIP: "0.0.0.0", hostPort: 8080 },
      { protocol: "tcp", containerPort: 80, hostIP: "::", hostPort: 8080 },
    ]);
    host.serveTcp(web.path, 80, "web");
    assert.equal(await host.askTcp(HOST, 8080, host.outside), `web ${CLIENT}`);
    assert.equal(await host.askTcp("127.0.0.1", 8080), "web 172.17.0.1");
    assert.equal(await host.askTcp("127.0.0.5", 8080), "web 172.17.0.1");
    assert.equal(await host.askTcp(HOST, 8080), `web ${HOST}`);
    // By proxy, as the container has no IPv6.
    assert.equal(await host.askTcp("::1", 8080), "web 172.17.0.1");
    assert.equal(await host.askTcp(HOST6, 8080, host.outside), "web 172.17.0.1");
    // Itself, a neighbour, and one from another network.
    const neighbour = await container(manager, "neighbour");
    const stranger = await container(manager, "stranger", ["six"]);
    assert.equal(await host.askTcp(HOST, 8080, web.path), "web 172.17.0.1");
    assert.equal(await host.askTcp("172.17.0.1", 8080, neighbour.path), "web 172.17.0.1");
    assert.match(await host.askTcp(HOST, 8080, stranger.path), /^web /);
    await manager.unpublish(web.id);
    await manager.unpublish(web.id);
    assert.equal(await host.succeeds(`nc -w 1 ${HOST} 8080 </dev/null`, host.outside), false);
    assert.equal(await host.succeeds("nc -w 1 127.0.0.1 8080 </dev/null"), false);
    for (const { id } of [web, neighbour, stranger]) await manager.removeSandbox(id);
  });

  it("UDP too, and a client that goes on sending finds the next container", async () => {
    const mapping = [{ protocol: "udp", containerPort: 53, hostPort: 5353 }] as const;
    const first = await published("first", "bridge", mapping);
    host.serveUdp(first.path, 53, "first");
    using outside = host.udpClient(HOST, host.outside);
    assert.equal(await outside.ask(HOST, 5353), `first ${CLIENT}`);
    assert.equal(await host.askUdp("127.0.0.1", 5353), "first 172.17.0.1");
    assert.equal(await host.askUdp("::1", 5353), "first 172.17.0.1");
    await manager.removeSandbox(first.id);
    const second = await published("second", "bridge", mapping);
    host.serveUdp(second.path, 53, "second");
    assert.equal(await outside.ask(HOST, 5353), `second ${CLIENT}`);
    await manager.removeSandbox(second.id);
  });

  it("come and go while others stay", async () => {
    const web = await published("web", "bridge", [{ protocol: "tcp", containerPort: 80, hostPort: 8100 }]);
    host.serveTcp(web.path, 80, "web");
    host.serveUdp(web.path, 53, "dns");
    using client = host.udpClient(HOST, host.outside);
    assert.equal(await client.ask(HOST, 8101), undefined);
    const added = await manager.publish(web.id, [
      { protocol: "udp", containerPort: 53, hostPort: 8101 },
      { protocol: "tcp", containerPort: 80, hostIP: HOST },
      { protocol: "tcp", containerPort: 80, hostPort: 8102 },
    ]);
    assert.deepEqual(
      added.map(({ protocol, hostIP }) => `${protocol} ${hostIP}`),
      ["udp 0.0.0.0", "udp ::", `tcp ${HOST}`, "tcp 0.0.0.0", "tcp ::"],
    );
    assert.equal(manager.getSandbox(web.id).ports.length, 7);
    assert.deepEqual(await manager.publish(web.id, []), []);
    assert.equal(await client.ask(HOST, 8101), `dns ${CLIENT}`);
    for (const port of [8100, 8102, added[2]?.hostPort ?? 0]) {
      assert.equal(await host.askTcp(HOST, port, host.outside), `web ${CLIENT}`);
    }
    // All or none, of what is added and of what is taken back.
    const taken = { protocol: "tcp", containerPort: 81, hostPort: 8100 } as const;
    await assert.rejects(manager.publish(web.id, [{ protocol: "tcp", containerPort: 82, hostPort: 8103 }, taken]), {
      code: "Conflict",
      message: /: Bind for 0\.0\.0\.0:8100 failed: port is already allocated to container web$/,
    });
    const gone = { protocol: "tcp", containerPort: 80, hostPort: 8103 } as const;
    await assert.rejects(manager.unpublish(web.id, [{ protocol: "udp", containerPort: 53 }, gone]), {
      code: "NotFound",
      message: "port 8103 to 80/tcp is not published",
    });
    assert.equal(manager.getSandbox(web.id).ports.length, 7);
    await manager.unpublish(web.id, [
      { protocol: "udp", containerPort: 53 },
      { protocol: "tcp", containerPort: 80, hostPort: 8100 },
      { protocol: "tcp", containerPort: 80, hostIP: "::", hostPort: 8102 },
    ]);
    assert.deepEqual(
      manager.getSandbox(web.id).ports.map(({ hostIP }) => hostIP),
      [HOST, "0.0.0.0"],
    );
    assert.equal(await client.ask(HOST, 8101), undefined);
    assert.equal(await host.succeeds(`nc -w 1 ${HOST} 8100 </dev/null`, host.outside), false);
    assert.equal(await host.succeeds(`nc -w 1 ${HOST6} 8102 </dev/null`, host.outside), false);
    assert.equal(await host.askTcp(HOST, 8102, host.outside), `web ${CLIENT}`);
    bindSocket({ protocol: "tcp", address: "0.0.0.0", port: 8100 }).fd.close();
    bindSocket({ protocol: "udp", address: "0.0.0.0", port: 8101 }).fd.close();
    await manager.unpublish(web.id, [{ protocol: "tcp", containerPort: 80 }]);
    assert.deepEqual(manager.getSandbox(web.id).ports, []);
    await manager.removeSandbox(web.id);
  });

  it("that are added without a way out are published when there is one", async () => {
    await manager.createNetwork({ name: "closed", internal: true });
    const web = await container(manager, "web", ["bridge", "closed"]);
    await manager.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8104 }]);
    await manager.disconnect(web.id, "bridge");
    assert.deepEqual(await manager.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8105 }]), []);
    assert.deepEqual(await manager.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8106 }]), []);
    await manager.unpublish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8106 }]);
    await manager.connect({ sandboxId: web.id, networkId: "bridge", name: "web" });
    host.serveTcp(web.path, 80, "web");
    for (const port of [8104, 8105]) assert.equal(await host.askTcp(HOST, port, host.outside), `web ${CLIENT}`);
    assert.equal(await host.succeeds(`nc -w 1 ${HOST} 8106 </dev/null`, host.outside), false);
    await manager.removeSandbox(web.id);
  });

  it("over IPv6, to a container that has it", async () => {
    const web = await published("web", "six", [
      { protocol: "tcp", containerPort: 80, hostPort: 8081 },
      { protocol: "udp", containerPort: 80, hostPort: 8081 },
    ]);
    host.serveTcp(web.path, 80, "web", "::");
    host.serveUdp(web.path, 80, "web", "::");
    host.serveTcp(web.path, 80, "web4");
    const gateway = manager.getSandbox(web.id).endpoints[0]?.ipv6?.gateway;
    assert.equal(await host.askTcp(HOST6, 8081, host.outside), `web ${CLIENT6}`);
    assert.equal(await host.askUdp(HOST6, 8081, host.outside), `web ${CLIENT6}`);
    assert.equal(await host.askTcp(HOST6, 8081), `web ${HOST6}`);
    assert.equal(await host.askTcp("::1", 8081), `web ${gateway}`);
    assert.equal(await host.askUdp("::1", 8081), `web ${gateway}`);
    assert.equal(await host.askTcp(HOST, 8081, host.outside), `web4 ${CLIENT}`);
    await manager.removeSandbox(web.id);
  });

  it("only on the address that was asked for", async () => {
    const web = await published("web", "bridge", [
      { protocol: "tcp", containerPort: 80, hostIP: "127.0.0.1", hostPort: 8082 },
      { protocol: "tcp", containerPort: 80, hostIP: HOST, hostPort: 8083 },
    ]);
    host.serveTcp(web.path, 80, "web");
    assert.equal(await host.askTcp("127.0.0.1", 8082), "web 172.17.0.1");
    assert.equal(await host.succeeds(`nc -w 1 ${HOST} 8082 </dev/null`, host.outside), false);
    assert.equal(await host.askTcp(HOST, 8083, host.outside), `web ${CLIENT}`);
    assert.equal(await host.succeeds("nc -w 1 127.0.0.1 8083 </dev/null"), false);
    await manager.removeSandbox(web.id);
    const options = { "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1" };
    await manager.createNetwork({ name: "local", options });
    const local = await container(manager, "local", ["local"]);
    const bindings = await manager.publish(local.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8084 }]);
    assert.deepEqual(
      bindings.map(({ hostIP }) => hostIP),
      ["127.0.0.1"],
    );
    await manager.removeSandbox(local.id);
  });

  it("are picked when none was asked for, or from a range, the same for both families", async () => {
    const web = await container(manager, "web");
    using taken = bindSocket({ protocol: "tcp", address: "0.0.0.0", port: 9000 }).fd;
    const bindings = await manager.publish(web.id, [
      { protocol: "tcp", containerPort: 80 },
      { protocol: "tcp", containerPort: 81, hostPort: 0 },
      { protocol: "tcp", containerPort: 82, hostPort: 9000, hostPortEnd: 9002 },
    ]);
    const ports = bindings.map(({ hostPort }) => hostPort);
    assert.equal(ports.length, 6);
    assert.ok(ports.slice(0, 4).every((port) => port >= 32768));
    assert.deepEqual([ports[0] === ports[1], ports[2] === ports[3], ports[0] === ports[2]], [true, true, false]);
    assert.deepEqual(ports.slice(4), [9001, 9001]);
    const other = await container(manager, "other");
    await assert.rejects(
      manager.publish(other.id, [{ protocol: "tcp", containerPort: 80, hostPort: 9000, hostPortEnd: 9001 }]),
      { code: "ResourceExhausted", message: /80\/tcp/ },
    );
    taken.close();
    for (const { id } of [web, other]) await manager.removeSandbox(id);
  });

  it("a thousand of them at once", async () => {
    const web = await container(manager, "web");
    const mappings = Array.from({ length: 1000 }, (_, index) => {
      return { protocol: "tcp", containerPort: 20000 + index, hostPort: 20000 + index } as const;
    });
    assert.equal((await manager.publish(web.id, mappings)).length, 2000);
    host.serveTcp(web.path, 20999, "last");
    assert.equal(await host.askTcp(HOST, 20999, host.outside), `last ${CLIENT}`);
    await manager.removeSandbox(web.id);
  });

  it("one that is taken is refused with the name of who has it, and the others are given back", async () => {
    const web = await published("web", "bridge", [{ protocol: "tcp", containerPort: 80, hostPort: 8085 }]);
    const other = await container(manager, "other");
    const mappings = [
      { protocol: "tcp", containerPort: 90, hostPort: 8086 },
      { protocol: "tcp", containerPort: 80, hostPort: 8085 },
    ] as const;
    await assert.rejects(manager.publish(other.id, mappings), {
      code: "Conflict",
      message:
        /^driver failed .* on endpoint other \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8085 failed: port is already allocated to/,
    });
    bindSocket({ protocol: "tcp", address: "0.0.0.0", port: 8086 }).fd.close();
    assert.deepEqual(manager.getSandbox(other.id).ports, []);

    using _held = bindSocket({ protocol: "udp", address: "0.0.0.0", port: 8087 }).fd;
    await assert.rejects(manager.publish(other.id, [{ protocol: "udp", containerPort: 80, hostPort: 8087 }]), {
      code: "Conflict",
      message: new RegExp(
        `: failed to bind host port 0\\.0\\.0\\.0:8087/udp: address already in use by .* \\(process ${process.pid}\\)$`,
      ),
    });
    // And the other way round: the port is really taken on the host.
    assert.throws(() => bindSocket({ protocol: "tcp", address: "127.0.0.1", port: 8085 }), { code: "EADDRINUSE" });
    for (const { id } of [web, other]) await manager.removeSandbox(id);
    bindSocket({ protocol: "tcp", address: "0.0.0.0", port: 8085 }).fd.close();
  });

  it("bad ones are refused", async () => {
    const web = await container(manager, "web");
    const refused = async (mapping: object, code: string): Promise<void> => {
      const complete = { protocol: "tcp", containerPort: 80, hostPort: 8088, ...mapping } as PortMapping;
      await assert.rejects(manager.publish(web.id, [complete]), { code });
    };
    await refused({ containerPort: 0 }, "InvalidArgument");
    await refused({ hostPort: 65536 }, "InvalidArgument");
    await refused({ hostPort: 9, hostPortEnd: 8 }, "InvalidArgument");
    await refused({ hostIP: "localhost" }, "InvalidArgument");
    await refused({ protocol: "icmp" }, "InvalidArgument");
    await refused({ hostIP: "192.0.2.200" }, "FailedPrecondition");
    await manager.removeSandbox(web.id);
  });

  it("SCTP ports are translated where the kernel can", async () => {
    const web = await container(manager, "web");
    const bindings = await manager.publish(web.id, [{ protocol: "sctp", containerPort: 80, hostPort: 8090 }]);
    assert.deepEqual(
      bindings.map(({ hostIP }) => hostIP),
      ["0.0.0.0"],
    );
    assert.match(await host.run("nft list map inet boxt-net any4"), /sctp \. 8090 : 172\.17\./);
    const other = await container(manager, "other");
    await assert.rejects(manager.publish(other.id, [{ protocol: "sctp", containerPort: 80, hostPort: 8090 }]), {
      code: "Conflict",
    });
    for (const { id } of [web, other]) await manager.removeSandbox(id);
  });

  it("follow the container to another network", async () => {
    await manager.createNetwork({ name: "later" });
    await manager.createNetwork({ name: "shut", internal: true });
    const web = await container(manager, "web", ["shut"]);
    assert.deepEqual(await manager.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8091 }]), []);
    await manager.connect({ sandboxId: web.id, networkId: "later", name: "web" });
    assert.equal(manager.getSandbox(web.id).ports.length, 2);
    host.serveTcp(web.path, 80, "web");
    assert.equal(await host.askTcp(HOST, 8091, host.outside), `web ${CLIENT}`);
    await manager.connect({ sandboxId: web.id, networkId: "six", name: "web", gatewayPriority: 1 });
    assert.equal(await host.askTcp(HOST, 8091, host.outside), `web ${CLIENT}`);
    await manager.disconnect(web.id, "six");
    assert.equal(await host.askTcp(HOST, 8091, host.outside), `web ${CLIENT}`);
    await manager.disconnect(web.id, "later");
    assert.equal(await host.run(`nc -w 1 ${HOST} 8091 </dev/null || true`, host.outside), "");
    await manager.removeSandbox(web.id);
  });

  it("come back after somebody flushed the host's ruleset, with the next change", async () => {
    const web = await published("web", "bridge", [{ protocol: "tcp", containerPort: 80, hostPort: 8092 }]);
    host.serveTcp(web.path, 80, "web");
    await host.run("nft flush ruleset");
    const other = await published("other", "bridge", [{ protocol: "tcp", containerPort: 80, hostPort: 8093 }]);
    assert.equal(await host.askTcp(HOST, 8092, host.outside), `web ${CLIENT}`);
    for (const { id } of [web, other]) await manager.removeSandbox(id);
  });

  it("are reserved and answer again after a restart", async () => {
    const options = { name: "boxtp" };
    const first = await host.open(options);
    const web = await container(first, "web");
    const bindings = await first.publish(web.id, [
      { protocol: "tcp", containerPort: 80, hostPort: 8094 },
      { protocol: "udp", containerPort: 53, hostPort: 8096 },
    ]);
    host.serveTcp(web.path, 80, "web");
    host.serveUdp(web.path, 53, "dns");
    using talking = host.udpClient(HOST, host.outside);
    assert.equal(await talking.ask(HOST, 8096), `dns ${CLIENT}`);
    await first[Symbol.asyncDispose]();
    assert.equal(await host.askTcp(HOST, 8094, host.outside), `web ${CLIENT}`);
    assert.equal(await talking.ask(HOST, 8096), `dns ${CLIENT}`);
    assert.equal(await host.askUdp(HOST, 8096, host.outside), `dns ${CLIENT}`);
    const second = await host.open(options);
    assert.deepEqual(second.getSandbox(web.id).ports, bindings);
    assert.throws(() => bindSocket({ protocol: "tcp", address: "0.0.0.0", port: 8094 }), { code: "EADDRINUSE" });
    assert.equal(await host.askTcp(HOST, 8094, host.outside), `web ${CLIENT}`);
    assert.match(await host.askTcp("::1", 8094), /^web 172\./);
    assert.equal(await talking.ask(HOST, 8096), `dns ${CLIENT}`);
    assert.equal(await host.askUdp(HOST, 8096, host.outside), `dns ${CLIENT}`);
    assert.match((await host.askUdp("::1", 8096)) ?? "", /^dns 172\./);
    await second.destroy();
  });

  it("are published whatever sets of others are in the host's namespace", async () => {
    // As nft 1.1.7 writes it for `set a { type ifname; }`: libnftables 1.0.6 crashes when it reads that.
    addForeignSet();
    const options = { name: "boxtf" };
    const first = await host.open(options);
    await first.createNetwork({ name: "named" });
    const web = await container(first, "web", ["named"]);
    await first.publish(web.id, [{ protocol: "tcp", containerPort: 80, hostPort: 8095 }]);
    host.serveTcp(web.path, 80, "web");
    assert.deepEqual(await first.warnings(), []);
    await first[Symbol.asyncDispose]();
    const second = await host.open(options);
    assert.equal(await host.askTcp(HOST, 8095, host.outside), `web ${CLIENT}`);
    await second.destroy();
    using nftables = new Nftables();
    nftables.run([{ verb: "delete-table", table: { family: "inet", name: "t" } }]);
  });

  it("says whose chain drops what is forwarded", async () => {
    assert.deepEqual(await manager.warnings(), []);
    await host.run(
      "nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
    );
    assert.match((await manager.warnings())[0] ?? "", /chain FORWARD of the ip table filter drops/);
    await host.run("nft delete table ip filter");
  });
});

/** `table inet t { set a { type ifname; } }`, with the notes for listings that newer versions of nft leave. */
function addForeignSet(): void {
  using netfilter = new NetlinkSocket(NetlinkProtocol.Netfilter);
  const subsystem = 10;
  const message = (type: number, hex: string) => {
    return { type, flags: 0x400, payload: Buffer.from(hex, "hex"), about: "a set of another program" };
  };
  const notes = "14000d0000040100000003080004040000000100";
  netfilter.transaction(
    message(0x10, "0000000a"),
    [
      message(subsystem << 8, "010000000600010074000000"),
      message(
        (subsystem << 8) | 9,
        ["01000000", "0600010074000000", "0600020061000000", "0800030000000000", "0800040000000029"]
          .concat("0800050000000010", "08000a0000000001", notes)
          .join(""),
      ),
    ],
    message(0x11, "0000000a"),
  );
}
