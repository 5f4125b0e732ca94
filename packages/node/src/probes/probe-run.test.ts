import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { DeadlineExceeded, systemClock } from "@boxship/base";
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

test("commands that take too long, and servers that are not well by gRPC, are told in the kubelet's words", async () => {
  const late = () => Promise.reject(new DeadlineExceeded("timed out"));
  const target = { cri: { execSync: late }, clock: systemClock, containerId: "c", container: { name: "c" } };
  const near = { ...target, podIP: "127.0.0.1", timeoutSeconds: 90 };
  const failed = (output: string) => ({ success: false, output });
  const timedOut = failed('command timed out: "sh -c \\"sleep 9\\"" timed out after 1m30s');
  assert.deepEqual(await runHandler({ exec: { command: ["sh", "-c", '"sleep 9"'] } }, near), timedOut);

  const ends: Readonly<Record<string, Record<string, string>>> = {
    none: { "grpc-status": "5", "grpc-message": "unknown service" },
    odd: { "grpc-status": "2", "grpc-message": "no idea" },
    bare: { "grpc-status": "12", "grpc-message": "no such method" },
    slow: { "grpc-status": "4", "grpc-message": "too slow" },
  };
  const agents = new Set<string | undefined>();
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    agents.add(headers["user-agent"]);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("data", (bytes: Buffer) => {
      const trailers = ends[bytes.subarray(7).toString()];
      stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? { "grpc-status": "0" }));
      stream.end(trailers === undefined ? Buffer.from([0, 0, 0, 0, 2, 8, 3]) : undefined);
    });
    stream.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const probe = (service: string, more: object = {}) => runHandler({ grpc: { port, service } }, { ...near, ...more });
  assert.deepEqual(await probe("sick"), failed('service unhealthy (responded with "SERVICE_UNKNOWN")'));
  const rpc = "error: health rpc probe failed: rpc error: code =";
  assert.deepEqual(await probe("none"), failed(`${rpc} NotFound desc = unknown service`));
  assert.deepEqual(await probe("odd"), failed(`${rpc} Unknown desc = no idea`));
  const protocol = "the grpc health protocol (grpc.health.v1.Health)";
  assert.deepEqual(await probe("bare"), failed(`error: this server does not implement ${protocol}: no such method`));
  assert.deepEqual(await probe("slow"), failed("timeout: health rpc did not complete within 1m30s"));
  assert.deepEqual([...agents], ["kube-probe/1.36"]);
  server.close();
  await once(server, "close");
  const nobody = `timeout: failed to connect service "127.0.0.1:${port}" within 50ms: context deadline exceeded`;
  assert.deepEqual(await probe("", { timeoutSeconds: 0.05 }), failed(nobody));
});
