import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock, InvalidArgument, NotFound } from "@boxship/base";
import { NetlinkError } from "@boxship/kernel";
import { NetworkThread } from "./network-thread.ts";
import { fromWire, toWire } from "./wire-error.ts";

describe("the network thread", () => {
  it("does what it is asked, in order, and ends when idle", async () => {
    const clock = new FakeClock();
    await using thread = new NetworkThread({ clock, idle: 1000 });
    const state = await thread.call("readHostState", undefined);
    assert.ok(state.links.some(({ name }) => name === "lo"));
    assert.equal(clock.waiting, 1);
    await clock.advance(1001);
    assert.equal(clock.waiting, 0);
    // The next call starts it again.
    assert.ok((await thread.call("readHostState", undefined)).links.length > 0);
  });

  it("leaves the background to wait for what is urgent", async () => {
    await using thread = new NetworkThread({ clock: new FakeClock(), idle: 1000 });
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    await Promise.all([
      thread.call("readHostState", undefined).then(note("first")),
      thread.call("readHostState", undefined, "background").then(note("background")),
      thread.call("readHostState", undefined).then(note("second")),
      thread.call("readHostState", undefined).then(note("third")),
    ]);
    assert.deepEqual(order, ["first", "second", "third", "background"]);
  });

  it("errors arrive as what they were", async () => {
    await using thread = new NetworkThread({ clock: new FakeClock(), idle: 1000 });
    await assert.rejects(thread.call("writeSysctls", { namespace: "/proc/self/ns/net", sysctls: { "net.x": "" } }), {
      name: "InvalidArgument",
      code: "InvalidArgument",
    });
    await assert.rejects(thread.call("writeSysctls", { namespace: "/nonexistent", sysctls: {} }), { code: "ENOENT" });
  });
});

describe("errors between threads", () => {
  it("keep class, message, subject and remedy", () => {
    const subject = { kind: "network", name: "n" };
    const sent = new NotFound("no such network: n", { subject, remedy: "create it" });
    const received = fromWire(structuredClone(toWire(sent)));
    assert.ok(received instanceof NotFound);
    assert.deepEqual([received.message, received.subject, received.remedy], [sent.message, subject, "create it"]);
    assert.ok(fromWire(toWire(new InvalidArgument("x"))) instanceof InvalidArgument);
    const refused = fromWire(toWire(new NetlinkError(17, "create link a", "exists")));
    assert.equal((refused as { code?: string }).code, "EEXIST");
    assert.equal(refused.message, "netlink create link a: EEXIST (exists)");
    assert.equal((fromWire(toWire(new TypeError("odd"))) as { code?: string }).code, "Internal");
  });
});
