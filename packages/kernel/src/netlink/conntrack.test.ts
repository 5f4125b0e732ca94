import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Nftables } from "../nftables/nftables.ts";
import { deleteFlows, listFlows } from "./conntrack.ts";
import { setLink } from "./link.ts";
import { NetlinkProtocol, NetlinkSocket } from "./socket.ts";
import { TestNamespace } from "./testing.ts";

describe("connection tracking", () => {
  it("lists flows and forgets those that are picked", async () => {
    using _ = new TestNamespace();
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
    using nft = new Nftables();
    const table = { family: "inet", name: "t" } as const;
    nft.run([
      { verb: "add-table", table },
      { verb: "add-chain", table, chain: "c", base: { type: "filter", hook: "input", priority: 0 } },
      { verb: "add-rule", table, chain: "c", statements: [{ kind: "any-bit", selector: "ct state", bits: 8 }] },
    ]);
    const client = createSocket("udp4");
    client.bind(0, "127.0.0.1");
    await once(client, "listening");
    for (const port of [5301, 5302]) {
      await new Promise((resolve) => client.send("x", port, "127.0.0.1", resolve));
    }
    client.close();
    using socket = new NetlinkSocket(NetlinkProtocol.Netfilter);
    const ports = () => listFlows(socket).map((flow) => flow.original.destinationPort);
    assert.deepEqual(
      ports().sort((a, b) => a - b),
      [5301, 5302],
    );
    assert.equal(
      deleteFlows(socket, ({ original }) => original.protocol === 17 && original.destinationPort === 5301),
      1,
    );
    assert.deepEqual(ports(), [5302]);
    assert.equal(listFlows(socket)[0]?.reply.source, "127.0.0.1");
  });
});
