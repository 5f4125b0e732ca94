import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "@boxship/base";
import { runHandler } from "./probe-run.ts";

test("a probe by http follows redirects on its host, tells headers as often as they are named, and tells refusals in Go's words", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { url = "", rawHeaders } = request;
    const named = rawHeaders.filter((_, at) => rawHeaders[at - 1]?.toLowerCase() === "x-one").join();
    asked.push(`${url} ${named} ${String(request.headers["user-agent"])}`);
    const to: Record<string, string> = {
      "/moved": "/gone",
      "/around": "/around",
      "/away": "http://elsewhere.invalid/",
      "/on?a=b": "fine",
    };
    const location = to[url];
    response
      .writeHead(location === undefined ? (url === "/gone" ? 500 : 200) : 302, location ? { location } : {})
      .end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const cri = { execSync: () => Promise.reject(new Error("nothing is run")) };
  const target = { cri, clock: systemClock, containerId: "c", container: { name: "c" }, podIP: "127.0.0.1" };
  const probe = async (path: string) => {
    asked.length = 0;
    const httpHeaders = ["a", "b"].map((value) => ({ name: "X-One", value }));
    return await runHandler({ httpGet: { path, port, httpHeaders } }, { ...target, timeoutSeconds: 20 });
  };
  assert.deepEqual(await probe("/moved"), { success: false, output: "HTTP probe failed with statuscode: 500" });
  assert.deepEqual(asked, ["/moved a,b kube-probe/1.36", "/gone a,b kube-probe/1.36"]);
  assert.deepEqual(await probe("on?a=b"), { success: true, output: "" });
  assert.equal(asked.length, 2);
  assert.deepEqual(await probe("/away"), { success: true, output: "" });
  assert.deepEqual(await probe("/around"), { success: false, output: "stopped after 10 redirects" });
  assert.equal(asked.length, 11);
  server.close();
  await once(server, "close");
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
  const { output } = await probe("/x?y");
  assert.equal(output, `Get "http://127.0.0.1:${port}/x?y": ${refused}`);
  assert.equal((await runHandler({ tcpSocket: { port } }, { ...target, timeoutSeconds: 20 })).output, refused);
});
