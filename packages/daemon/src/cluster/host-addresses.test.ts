import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import {
  addAddress,
  addRoute,
  createLink,
  createNamespace,
  deleteLink,
  findLink,
  NetlinkSocket,
  namespacePath,
  openNamespace,
  setLink,
  setns,
} from "@boxship/kernel";
import { HostAddresses } from "./host-addresses.ts";

/** The test's thread is in an empty network namespace until this is disposed. */
function enterNamespace(): Disposable {
  const home = openNamespace(namespacePath("net"));
  using own = createNamespace("net");
  setns(own, "net");
  return {
    [Symbol.dispose]: () => {
      setns(home, "net");
      home.close();
    },
  };
}

test("the machine's address is that by which it speaks to strangers, follows it, and is never a bridge of containers", async () => {
  using stack = new DisposableStack();
  stack.use(enterNamespace());
  const route = stack.use(new NetlinkSocket());
  setLink(route, "lo", { up: true });
  await using addresses = await HostAddresses.open({ clock: new FakeClock(), logger: silentLogger });
  assert.deepEqual(addresses.of(), ["127.0.0.1"]);
  let told = 0;
  using _heard = addresses.onChange(() => told++);
  const number = (name: string): number => findLink(route, name)?.index ?? 0;
  const have = (name: string, address: string): void =>
    addAddress(route, {
      link: number(name),
      address,
      prefixLength: address.includes(":") ? 64 : 24,
      noDuplicateDetection: address.includes(":"),
    });
  const addVeth = (name: string): void => {
    createLink(route, { name, up: true, kind: { kind: "veth", peer: { name: `${name}peer` } } });
    setLink(route, `${name}peer`, { up: true });
  };
  createLink(route, { name: "pods0", up: true, kind: { kind: "bridge" } });
  have("pods0", "172.30.0.1");
  addVeth("pod0");
  setLink(route, "pod0", { master: number("pods0") });
  await addresses.look();
  assert.deepEqual([addresses.of(), told], [["127.0.0.1"], 0], "pods alone are on it");

  addVeth("one");
  have("one", "198.51.100.5");
  await addresses.look();
  assert.deepEqual([addresses.of(), told], [["198.51.100.5"], 1]);

  addVeth("two");
  have("two", "203.0.113.7");
  have("two", "2001:db8:7::7");
  await addresses.look();
  assert.deepEqual(addresses.of(), ["198.51.100.5"], "there is no reason for the other");
  assert.deepEqual(addresses.of(["10.1.0.0/16", "fd00::/64"]), ["198.51.100.5", "2001:db8:7::7"]);
  addRoute(route, { family: "ipv4", gateway: "203.0.113.1" });
  await addresses.look();
  assert.deepEqual([addresses.of(), told], [["203.0.113.7"], 3]);

  deleteLink(route, "one");
  deleteLink(route, "two");
  await addresses.look();
  assert.deepEqual([addresses.of(), told], [["203.0.113.7"], 3], "until there is another");
});
