import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { EngineClient, startBoxship, tempDir } from "@boxship/testkit";
import { parseConfig } from "./config-file.ts";
import { requireFree } from "./sockets.ts";

test("a socket that was made is served again after a crash, and one that was removed is not", async () => {
  await using engine = await startBoxship();
  for (const name of ["kept", "removed"]) {
    await engine.client.json("POST", "/boxship/sockets", { Name: name, Role: "read-only" });
  }
  await engine.client.json("DELETE", "/boxship/sockets/removed");
  await engine.crash();
  await engine.start();
  using client = new EngineClient(join(engine.runDir, "kept.sock"));
  assert.equal((await client.call("GET", "/containers/json")).status, 200);
  assert.equal((await client.call("POST", "/containers/prune")).status, 403);
  await assert.rejects(stat(join(engine.runDir, "removed.sock")), { code: "ENOENT" });
});

test("only a dead socket is replaced", async () => {
  await using directory = tempDir("free");
  await requireFree(directory.join("absent"));
  await writeFile(directory.join("file"), "");
  await assert.rejects(requireFree(directory.join("file")), { message: /is no socket/ });
  await assert.rejects(requireFree(directory.join("file", "below")), { code: "InvalidArgument" });
  const server = createServer();
  await new Promise<void>((done) => server.listen(directory.join("live"), done));
  await assert.rejects(requireFree(directory.join("live")), { message: /another program listens/ });
  await new Promise((done) => server.close(done));
});

test("the configuration's sockets are checked with it", () => {
  const parse = (text: string) => () => parseConfig(text, "f");
  assert.throws(parse("sockets: { ci: { role: admin } }"), { message: /unknown role "admin"/ });
  assert.throws(parse("sockets: { ci: { role: confined, mounts: [ relative ] } }"), {
    message: /cannot be an allowed/,
  });
  assert.throws(parse("sockets: { ci: { role: confined, uid: 3 } }"), { message: /sockets.ci.uid/ });
  assert.throws(parse("audit: { maxSize: 0 }"), { message: /audit.maxSize/ });
  parse("sockets: { ci: { role: confined, label: a=b, mounts: [ /srv ], images: [ ci/* ] } }\naudit: {}")();
});
