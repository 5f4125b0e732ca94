import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addAddress, listAddresses, removeAddress } from "./address.ts";
import { createLink, createLinkRequest, deleteLink, deleteLinkGroup, findLink, listLinks, setLink } from "./link.ts";
import { NetlinkError } from "./message.ts";
import { addForwardingEntry, listNeighbours, removeNeighbour, setNeighbour } from "./neighbour.ts";
import { addRoute, listRoutes, removeRoute, replaceRoute } from "./route.ts";
import { addRule, listRules, removeRule } from "./rule.ts";
import { NetlinkSocket } from "./socket.ts";
import { TestNamespace } from "./testing.ts";

function index(socket: NetlinkSocket, name: string): number {
  const link = findLink(socket, name);
  assert.ok(link, `no link ${name}`);
  return link.index;
}

/** An error with this code whose message holds the text. */
function refusal(code: string, text: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetlinkError);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(text), error.message);
    return true;
  };
}

describe("links", () => {
  it("come, change and go", () => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    createLink(socket, { name: "br0", mac: "02:42:00:00:00:01", mtu: 1400, up: true, kind: { kind: "bridge" } });
    const bridge = findLink(socket, "br0");
    assert.equal(bridge?.kind, "bridge");
    assert.equal(bridge?.mac, "02:42:00:00:00:01");
    assert.equal(bridge?.mtu, 1400);
    assert.equal(bridge?.up, true);
    setLink(socket, "br0", { alias: "ours/one", up: false });
    setLink(socket, bridge?.index ?? 0, { name: "br1" });
    assert.equal(findLink(socket, "br0"), undefined);
    const renamed = findLink(socket, "br1");
    assert.equal(renamed?.alias, "ours/one");
    assert.equal(renamed?.up, false);
    assert.deepEqual(
      listLinks(socket)
        .filter((link) => link.kind !== undefined && link.kind !== "ifb")
        .map((link) => link.name),
      ["br1"],
    );
    deleteLink(socket, "br1");
    assert.equal(findLink(socket, "br1"), undefined);
    assert.throws(() => deleteLink(socket, "br1"), refusal("ENODEV", "delete link br1"));
  });

  it("a veth has its peer in another namespace and its own end in a bridge", () => {
    using home = new TestNamespace();
    using socket = new NetlinkSocket();
    using other = new TestNamespace();
    home.run(() => {
      createLink(socket, { name: "br0", kind: { kind: "bridge", stp: false, multicastSnooping: false }, up: true });
      const kind = {
        kind: "veth",
        peer: { name: "eth0", mac: "02:42:ac:11:00:02", mtu: 1300, namespace: { fd: other.fd } },
      } as const;
      createLink(socket, { name: "veth1", master: index(socket, "br0"), up: true, kind });
      setLink(socket, "veth1", { bridgePort: { isolated: true, hairpin: true }, generateIPv6LinkLocal: false });
      const link = findLink(socket, "veth1");
      assert.equal(link?.isolated, true);
      assert.equal(link?.master, index(socket, "br0"));
      assert.notEqual(link?.parentNamespace, undefined);
    });
    using inside = new NetlinkSocket();
    const peer = findLink(inside, "eth0");
    assert.equal(peer?.mac, "02:42:ac:11:00:02");
    assert.equal(peer?.mtu, 1300);
    home.run(() => setLink(socket, "veth1", { master: 0 }));
    deleteLink(inside, "eth0");
    assert.equal(findLink(socket, "veth1"), undefined);
  });

  it("moves into the namespace of a process", () => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    const kind = { kind: "veth", peer: { name: "b" } } as const;
    createLink(socket, { name: "a", kind });
    // The main thread's own namespace, which it is in already: the kernel takes that as done.
    setLink(socket, "b", { namespace: { pid: process.pid } });
    assert.ok(findLink(socket, "a"));
    assert.throws(() => setLink(socket, "b", { namespace: { pid: 2 ** 22 } }), refusal("ESRCH", "change link b"));
  });

  it("macvlan and vxlan sit on another link", () => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    createLink(socket, { name: "a", up: true, kind: { kind: "veth", peer: { name: "b" } } });
    const parent = index(socket, "a");
    createLink(socket, { name: "mac0", kind: { kind: "macvlan", parent, mode: "bridge" } });
    createLink(socket, {
      name: "vx0",
      kind: { kind: "vxlan", id: 77, parent, local: "10.9.0.1", remote: "239.1.1.1", port: 8472 },
    });
    assert.equal(findLink(socket, "mac0")?.parent, parent);
    assert.equal(findLink(socket, "vx0")?.kind, "vxlan");
    addForwardingEntry(socket, { link: index(socket, "vx0"), mac: "02:00:00:00:00:09", remote: "10.9.0.9" });
  });

  it("a kind the kernel does not have is named", (t) => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    try {
      createLink(socket, { name: "d0", kind: { kind: "dummy" } });
      t.skip("this kernel has dummy links");
    } catch (error) {
      assert.ok(refusal("EOPNOTSUPP", "create dummy link d0")(error));
    }
  });

  it("are created many at a time, and the first failure is the one reported", () => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    const bridge = (name: string) => createLinkRequest({ name, group: 77, kind: { kind: "bridge" } });
    const names = ["one", "two", "two", "one", "three"];
    assert.throws(() => socket.batch(names.map(bridge)), refusal("EEXIST", "create bridge link two"));
    assert.equal(findLink(socket, "three")?.group, 77);
    deleteLinkGroup(socket, 77);
    assert.deepEqual(
      listLinks(socket).filter((link) => link.kind === "bridge"),
      [],
    );
  });

  it("refuses names that the kernel would cut", () => {
    for (const name of ["", "a b", "a/b", "0123456789abcdef", ".."]) {
      assert.throws(() => createLinkRequest({ name, kind: { kind: "bridge" } }), { code: "InvalidArgument" });
    }
  });
});

describe("addresses, routes, neighbours and rules", () => {
  function prepared(): { socket: NetlinkSocket; link: number } {
    const socket = new NetlinkSocket();
    createLink(socket, { name: "a", up: true, kind: { kind: "veth", peer: { name: "b" } } });
    setLink(socket, "b", { up: true });
    return { socket, link: index(socket, "a") };
  }

  it("addresses of both families", () => {
    using _ = new TestNamespace();
    const { socket, link } = prepared();
    using _socket = socket;
    addAddress(socket, { link, address: "10.1.2.3", prefixLength: 24, broadcast: "10.1.2.255" });
    addAddress(socket, { link, address: "fd00:1::3", prefixLength: 64, noDuplicateDetection: true });
    const listed = listAddresses(socket).filter((entry) => entry.link === link && !entry.address.startsWith("fe80"));
    assert.deepEqual(listed, [
      { link, address: "10.1.2.3", prefixLength: 24 },
      { link, address: "fd00:1::3", prefixLength: 64 },
    ]);
    const again = () => addAddress(socket, { link, address: "10.1.2.3", prefixLength: 24 });
    assert.throws(again, refusal("EEXIST", "add address 10.1.2.3/24"));
    removeAddress(socket, { link, address: "10.1.2.3", prefixLength: 24 });
    assert.throws(() => removeAddress(socket, { link, address: "10.1.2.3", prefixLength: 24 }), {
      code: "EADDRNOTAVAIL",
    });
  });

  it("the kernel's own explanation is part of the error", () => {
    using _ = new TestNamespace();
    const { socket, link } = prepared();
    using _socket = socket;
    const wrong = () => addRoute(socket, { family: "ipv4", destination: "10.1.2.3/24", link });
    assert.throws(wrong, refusal("EINVAL", "Invalid prefix for given prefix length"));
  });

  it("routes", () => {
    using _ = new TestNamespace();
    const { socket, link } = prepared();
    using _socket = socket;
    addAddress(socket, { link, address: "10.1.2.3", prefixLength: 24 });
    addAddress(socket, { link, address: "fd00:1::3", prefixLength: 64, noDuplicateDetection: true });
    addRoute(socket, { family: "ipv4", gateway: "10.1.2.1", link });
    addRoute(socket, { family: "ipv6", gateway: "fd00:1::1", link });
    addRoute(socket, { family: "ipv4", destination: "10.7.0.0/16", gateway: "10.1.2.9", metric: 5, table: 1000 });
    addRoute(socket, { family: "ipv4", destination: "10.8.0.0/16", type: "blackhole" });
    replaceRoute(socket, { family: "ipv4", gateway: "10.1.2.2", link });
    const main = listRoutes(socket);
    const defaults = main.filter((route) => route.destination === undefined);
    assert.deepEqual(
      defaults.map((route) => [route.family, route.gateway, route.link]),
      [
        ["ipv4", "10.1.2.2", link],
        ["ipv6", "fd00:1::1", link],
      ],
    );
    assert.equal(main.find((route) => route.destination === "10.8.0.0/16")?.type, "blackhole");
    assert.equal(listRoutes(socket, { table: 1000 })[0]?.metric, 5);
    removeRoute(socket, { family: "ipv4" });
    assert.throws(() => removeRoute(socket, { family: "ipv4" }), refusal("ESRCH", "remove route default"));
  });

  it("neighbours", () => {
    using _ = new TestNamespace();
    const { socket, link } = prepared();
    using _socket = socket;
    setNeighbour(socket, { link, address: "10.1.2.9", mac: "02:00:00:00:00:09" });
    setNeighbour(socket, { link, address: "10.1.2.9", mac: "02:00:00:00:00:0a" });
    setNeighbour(socket, { link, address: "10.1.2.10", proxy: true });
    const found = listNeighbours(socket).filter((entry) => entry.address === "10.1.2.9");
    assert.deepEqual(found, [{ link, address: "10.1.2.9", mac: "02:00:00:00:00:0a", state: "permanent" }]);
    removeNeighbour(socket, { link, address: "10.1.2.10", proxy: true });
  });

  it("rules", () => {
    using _ = new TestNamespace();
    using socket = new NetlinkSocket();
    const rule = {
      family: "ipv4",
      priority: 100,
      table: 1000,
      source: "10.0.0.0/8",
      mark: 0x10,
      markMask: 0xff,
    } as const;
    addRule(socket, rule);
    assert.deepEqual(
      listRules(socket).filter((entry) => entry.priority === 100),
      [rule],
    );
    assert.throws(() => addRule(socket, rule), { code: "EEXIST" });
    removeRule(socket, rule);
    assert.deepEqual(
      listRules(socket).filter((entry) => entry.priority === 100),
      [],
    );
  });
});
