import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { bindSocket } from "@boxship/kernel";
import { reservePort } from "./reservation.ts";

function freePort(protocol: "tcp" | "udp"): number {
  const { fd, port } = bindSocket({ protocol, address: "127.0.0.1", port: 0 });
  fd.close();
  return port;
}

describe("a reserved port that nobody translates", () => {
  it("passes TCP on, each direction ending by itself", async () => {
    // Answers only when the client has said all it has to say.
    const upstream = createServer({ allowHalfOpen: true }, (socket) => {
      const parts: Buffer[] = [];
      socket.on("data", (data: Buffer) => parts.push(data));
      socket.on("end", () => socket.end(`got ${Buffer.concat(parts).length}`));
    });
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const { port } = upstream.address() as { port: number };
    const hostPort = freePort("tcp");
    const binding = { protocol: "tcp", hostIP: "127.0.0.1", hostPort, containerPort: port } as const;
    const reservation = reservePort(binding, () => ({ address: "127.0.0.1", port }));
    const client = connect({ port: hostPort, host: "127.0.0.1", allowHalfOpen: true });
    client.end(Buffer.alloc(1_000_000));
    const [answer] = (await once(client, "data")) as [Buffer];
    assert.equal(answer.toString(), "got 1000000");
    reservation.close();
    upstream.close();
  });

  it("refuses when there is nobody to pass it to", async () => {
    const hostPort = freePort("tcp");
    const binding = { protocol: "tcp", hostIP: "127.0.0.1", hostPort, containerPort: 80 } as const;
    for (const target of [() => undefined, () => ({ address: "127.0.0.1", port: freePort("tcp") })]) {
      const reservation = reservePort(binding, target);
      const client = connect({ port: hostPort, host: "127.0.0.1" });
      client.on("error", () => {});
      await new Promise((resolve) => client.once("close", resolve));
      assert.equal(client.bytesRead, 0);
      reservation.close();
    }
  });

  it("passes UDP on and the answers back to who asked", async () => {
    const upstream = createSocket("udp4");
    upstream.on("message", (data, client) => upstream.send(`re ${data.toString()}`, client.port, client.address));
    upstream.bind(0, "127.0.0.1");
    await once(upstream, "listening");
    const { port } = upstream.address();
    const hostPort = freePort("udp");
    const binding = { protocol: "udp", hostIP: "127.0.0.1", hostPort, containerPort: port } as const;
    const reservation = reservePort(binding, () => ({ address: "127.0.0.1", port }));
    const clients = [createSocket("udp4"), createSocket("udp4")];
    for (const [index, client] of clients.entries()) {
      client.send(`${index}`, hostPort, "127.0.0.1");
      const [answer] = (await once(client, "message")) as [Buffer];
      assert.equal(answer.toString(), `re ${index}`);
    }
    for (const client of clients) client.close();
    reservation.close();
    upstream.close();
  });
});
