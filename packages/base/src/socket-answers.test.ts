import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { socketAnswers } from "./socket-answers.ts";

test("a socket answers while somebody listens on it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-socket-"));
  const path = join(directory, "s.sock");
  const server = createServer((socket) => socket.destroy());
  try {
    assert.equal(await socketAnswers(path), false);
    server.listen(path);
    await once(server, "listening");
    assert.equal(await socketAnswers(path), true);
    server.close();
    await once(server, "close");
    assert.equal(await socketAnswers(path), false);
    writeFileSync(path, "no socket");
    assert.equal(await socketAnswers(path), false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
