import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { FailedPrecondition, systemClock } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import type { HandlerSpec, Pod } from "../types.ts";
import { runHook } from "./run-hook.ts";

test("hooks fail in the kubelet's words, and any answer by HTTP will do", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers["user-agent"]}`);
    response.writeHead(500).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pod = { metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers: [] } } as unknown as Pod;
  const run = (hook: HandlerSpec, exitCode = 0) => {
    const answer = { exitCode, stdout: Buffer.from("one\n"), stderr: Buffer.from("two\n") };
    const gone = new FailedPrecondition("container is not running");
    const execSync = () => (exitCode < 0 ? Promise.reject(gone) : Promise.resolve(answer));
    const context = { cri: { execSync } as unknown as Cri, clock: systemClock };
    const spec = { name: "c" };
    return runHook(context, { pod, spec, hook, containerId: "id", podIP: "127.0.0.1", timeoutSeconds: 20 });
  };
  const exec = { command: ["say", "no"] };
  const of = 'for Container "c" in Pod "p_n(u)" failed - error:';
  assert.equal(await run({ exec }), undefined);
  const failed = `Exec lifecycle hook ([say no]) ${of} command 'say no' exited with 4: two\n, message: "one\\ntwo\\n"`;
  assert.equal(await run({ exec }, 4), failed);
  assert.equal(await run({ exec }, -1), `Exec lifecycle hook ([say no]) ${of} container is not running, message: ""`);
  assert.equal(await run({ sleep: { seconds: 0 } }), undefined);
  assert.equal(await run({ httpGet: { path: "/bye", port } }), undefined);
  assert.deepEqual(asked, ["/bye kube-lifecycle/1.36"]);
  server.close();
  await once(server, "close");
  const refused = `Get "http://127.0.0.1:${port}/bye": dial tcp 127.0.0.1:${port}: connect: connection refused`;
  assert.equal(await run({ httpGet: { path: "/bye", port } }), `HTTP lifecycle hook (/bye) ${of} ${refused}`);
});
