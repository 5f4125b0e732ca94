import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { bindSocket } from "./bound-socket.ts";
import { setLink } from "./link.ts";
import { NetlinkSocket } from "./socket.ts";
import { TestNamespace } from "./testing.ts";

describe("bound sockets", () => {
  it("reserve a port of a namespace", () => {
    using _ = new TestNamespace();
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
    for (const [protocol, address] of [
      ["tcp", "0.0.0.0"],
      ["tcp", "::"],
      ["udp", "0.0.0.0"],
      ["udp", "::"],
    ] as const) {
      const { fd, port } = bindSocket({ protocol, address, port: 4000 });
      using _fd = fd;
      assert.equal(port, 4000);
      assert.throws(() => bindSocket({ protocol, address, port }), { code: "EADDRINUSE" });
      using _inner = new TestNamespace();
      bindSocket({ protocol, address, port }).fd.close();
    }
    assert.throws(() => bindSocket({ protocol: "tcp", address: "192.0.2.77", port: 1 }), { code: "EADDRNOTAVAIL" });
  });

  it("are taken over by servers of Node", async () => {
    const tcp = bindSocket({ protocol: "tcp", address: "127.0.0.1", port: 0 });
    const udp = bindSocket({ protocol: "udp", address: "127.0.0.1", port: 0 });
    const server = createServer((socket) => socket.end("hello"));
    server.listen({ fd: tcp.fd.release() });
    await once(server, "listening");
    const client = connect(tcp.port, "127.0.0.1");
    const [data] = (await once(client, "data")) as [Buffer];
    assert.equal(data.toString(), "hello");
    client.destroy();
    server.close();

    const receiver = createSocket("udp4");
    receiver.bind({ fd: udp.fd.release() });
    const sender = createSocket("udp4");
    sender.send("ping", udp.port, "127.0.0.1");
    const [message] = (await once(receiver, "message")) as [Buffer];
    assert.equal(message.toString(), "ping");
    sender.close();
    receiver.close();
  });

  it("has a port of its own choice", () => {
    using _ = new TestNamespace();
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
    const { fd, port } = bindSocket({ protocol: "tcp", address: "::1", port: 0 });
    using _fd = fd;
    assert.ok(port > 1023);
  });
});
