import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { peerCredentials } from "./peer-credentials.ts";

test("tells process, user and group of the one that connected", async () => {
  const directory = await mkdtemp(join(tmpdir(), "peer-"));
  const path = join(directory, "s");
  const server = createServer();
  await new Promise<void>((done) => server.listen(path, done));
  const script = `require("net").connect(${JSON.stringify(path)}).resume()`;
  const child = spawn(process.execPath, ["-e", script]);
  try {
    const [socket] = (await once(server, "connection")) as [Socket & { readonly _handle: { readonly fd: number } }];
    const peer = peerCredentials(socket._handle.fd);
    assert.deepEqual(peer, { pid: child.pid, uid: process.getuid?.(), gid: process.getgid?.() });
    socket.destroy();
  } finally {
    child.kill();
    server.close();
    await rm(directory, { recursive: true });
  }
});

test("fails for what is no socket", () => {
  assert.throws(() => peerCredentials(-1), { code: "EBADF" });
});
