import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connectLoopback, isLoopbackHost, serveLoopback } from "./loopback-door.ts";

test("both directions, each ending by itself, refusals with their code, and nothing but loopback", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-door-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "door");
  using _door = await serveLoopback(path);
  // Answers after its client has ended.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let received = 0;
    socket.on("data", (data) => (received += data.length));
    socket.on("end", () => socket.end(`${received} bytes`));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  for (const host of ["127.0.0.1", "localhost"]) {
    const socket = await connectLoopback(path, { host, port });
    // Only half of it ends.
    socket.allowHalfOpen = true;
    socket.end("x".repeat(300_000));
    assert.equal(await text(socket), "300000 bytes");
  }
  server.close();
  await once(server, "close");
  await assert.rejects(connectLoopback(path, { host: "127.0.0.1", port }), { code: "ECONNREFUSED" });
  assert.throws(() => connectLoopback(path, { host: "192.0.2.1", port }), { code: "InvalidArgument" });
  for (const line of ['{"host":"192.0.2.1","port":80}\n', "nonsense\n", "x".repeat(5000)]) {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.write(line);
    assert.equal(await text(socket).catch(() => ""), "");
  }
});

test("what is the machine's own", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "::1"]) assert.equal(isLoopbackHost(host), true);
  for (const host of ["localhost.example", "128.0.0.1", "127.0.0.1.example", "::2"]) {
    assert.equal(isLoopbackHost(host), false);
  }
});
