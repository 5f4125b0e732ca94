import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { pendingConnections } from "./pending-connections.ts";
import { SocketType } from "./pipe.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";
import { connectUnixSocket, listenUnixSocket } from "./unix-socket.ts";

failOnLeaks();

/** Listens under another name than the file's, and takes a connection for each line it reads. */
const LISTENER = `
import os, socket, sys
where = os.open(sys.argv[1], os.O_PATH)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(f"/proc/self/fd/{where}/socket")
listener.listen(10)
print("listening", flush=True)
taken = []
for _ in sys.stdin:
    taken.append(listener.accept())
    print("taken", flush=True)
`;

test("connections that were not accepted yet are counted, those that were are not", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "socket");
  const listener = spawn("python3", ["-c", LISTENER, directory.path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(listener, "close");
  const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  try {
    assert.equal((await lines.next()).value, "listening");
    assert.equal(pendingConnections(path), 0);
    using _one = await connectUnixSocket(path, SocketType.SequencedPacket);
    using _two = await connectUnixSocket(path, SocketType.SequencedPacket);
    assert.equal(pendingConnections(path), 2);
    for (const left of [1, 0]) {
      listener.stdin.write("\n");
      assert.equal((await lines.next()).value, "taken");
      assert.equal(pendingConnections(path), left);
    }
  } finally {
    listener.stdin.end();
    await ended;
  }
});

test("where nobody listens nothing waits", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "socket");
  assert.equal(pendingConnections(path), 0);
  const listener = listenUnixSocket(
    path,
    () => {},
    () => {},
  );
  listener[Symbol.dispose]();
  assert.equal(pendingConnections(path), 0);
});
