import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { kubectl, kubernetesProgram, OURS } from "@boxship/testkit";
import { issueCertificate, makeAuthority } from "../certificates/issue-certificate.ts";
import { type ApiUnderTest, startApi } from "./api-under-test.ts";

/** The pod's, which the test has given to this process' own network. */
const [, , address = ""] = process.argv;

let go = (): void => {};
let left = "nobody";

/** A server of everything that has to come through a proxy as it is, or changed as it must be. */
function respond(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? "/", "http://x");
  switch (pathname) {
    case "/echo":
      response.setHeader("content-type", request.headers["content-type"] ?? "none");
      return void request.pipe(response);
    case "/page":
    case "/packed": {
      const page = '<a href="/a?b=1&amp;c=2">é</a><a href="b">';
      response.setHeader("content-type", "text/html; charset=utf-8");
      if (pathname === "/packed") response.setHeader("content-encoding", "gzip");
      return void response.end(pathname === "/packed" ? gzipSync(page) : page);
    }
    case "/moved":
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.writeHead(302, { location: "/next/?a=b", "access-control-allow-origin": "*" });
      return void response.end();
    case "/cut":
      response.writeHead(200, { "content-length": "100" });
      return void response.write("a part", () => setTimeout(() => response.destroy(), 50));
    case "/slow":
      response.write("one ");
      go = () => response.end("two");
      return;
    case "/go":
      go();
      return void response.end();
    case "/hang":
      response.on("close", () => (left = request.url ?? ""));
      return response.flushHeaders();
    case "/left":
      return void response.end(left);
  }
  response.writeHead(pathname === "/none" ? 404 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }));
}

function upgrade({ url = "" }: IncomingMessage, socket: Socket): void {
  socket.on("error", () => {});
  if (url.startsWith("/never")) return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n");
  if (url.startsWith("/odd")) return void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${url};`);
  socket.pipe(socket);
}

async function listen(): Promise<void> {
  const authority = await makeAuthority("others", Date.now());
  const subject = { commonName: "other", usage: "server", names: ["elsewhere"], addresses: [] } as const;
  const { key, certificate } = await issueCertificate(authority, subject, Date.now());
  const plain = createServer(respond).on("upgrade", upgrade).listen(8080, address);
  const safe = createTlsServer({ key, cert: certificate }, respond).on("upgrade", upgrade).listen(8443, address);
  await Promise.all([once(plain, "listening"), once(safe, "listening")]);
}

async function makeObjects(api: ApiUnderTest): Promise<void> {
  const make = async (path: string, body: object, method = "POST"): Promise<void> => {
    const headers: Record<string, string> = {};
    if (method === "PATCH") headers["content-type"] = "application/merge-patch+json";
    const { status, text } = await api.call(method, path, { body, headers });
    assert.ok(status === 201 || status === 200, text);
  };
  const ports = [{ name: "web", containerPort: 8080 }];
  const spec = { schedulerName: "none", containers: [{ name: "c", image: "i", ports }] };
  await make(`${AT}/pods`, { metadata: { name: "mirror" }, spec });
  await make(`${AT}/pods/mirror/status`, { status: { podIPs: [{ ip: address }] } }, "PATCH");
  const services = [
    { name: "web", port: 80 },
    { name: "safe", port: 443 },
    { name: "shut", port: 81 },
  ];
  await make(`${AT}/services`, { metadata: { name: "mirror" }, spec: { ports: services } });
  await make(`${AT}/services`, { metadata: { name: "nobody" }, spec: { ports: [{ port: 80 }] } });
  await make("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    metadata: { name: "mirror", labels: { "kubernetes.io/service-name": "mirror" } },
    addressType: "IPv4",
    ports: [
      { name: "web", port: 8080 },
      { name: "safe", port: 8443 },
      { name: "shut", port: 9 },
    ],
    endpoints: [{ addresses: [address], targetRef: { kind: "Pod", name: "mirror", namespace: "default" } }],
  });
  const apiGroup = "rbac.authorization.k8s.io";
  const RBAC = `/apis/${apiGroup}/v1/namespaces/default`;
  const rules = [{ apiGroups: [""], resources: ["pods/proxy"], verbs: ["get"] }];
  await make(`${RBAC}/roles`, { metadata: { name: "looker" }, rules });
  const subjects = [{ kind: "User", name: "looker", apiGroup }];
  const roleRef = { apiGroup, kind: "Role", name: "looker" };
  await make(`${RBAC}/rolebindings`, { metadata: { name: "looker" }, roleRef, subjects });
}

const AT = "/api/v1/namespaces/default";
const POD = `${AT}/pods/mirror/proxy`;

/** Kubectl's proxy, until it is disposed. */
async function startProxy([file = "", ...words]: readonly string[], { kubeconfig, directory }: ApiUnderTest) {
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory.path };
  const child = spawn(file, [...words, "proxy", "--port=0"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    port: Number(/Starting to serve on \S+:(\d+)/.exec(line.toString())?.[1]),
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, "exit");
    },
  };
}

const at = (port: number, path: string): string => `http://127.0.0.1:${port}${path}`;

interface Mirrored {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function targets(port: number): Promise<void> {
  const paths = ["pods/mirror", "pods/mirror:8080", "pods/http:mirror:8080", "pods/https:mirror:8443"];
  const services = ["mirror:80", "mirror:web", "http:mirror:web", "https:mirror:443", "https:mirror:safe"];
  for (const path of [...paths, ...services.map((name) => `services/${name}`)]) {
    const answer = await fetch(at(port, `${AT}/${path}/proxy/x/y%20z/?a=b%2Fc&path=d`), {
      headers: { accept: "text/html", authorization: "", "x-own": "1" },
    });
    const { method, url, headers } = (await answer.json()) as Mirrored;
    assert.deepEqual([answer.status, method, url], [200, "GET", "/x/y%20z/?a=b%2Fc&path=d"], path);
    assert.equal(headers["x-forwarded-uri"], `${AT}/${path}/proxy/x/y%20z/`);
    assert.deepEqual([headers["accept"], headers["x-own"]], ["text/html", "1"]);
    assert.deepEqual(
      Object.keys(headers).filter((name) => /authorization|^x-remote|^impersonate/.test(name)),
      [],
    );
  }
  const refused = async (path: string): Promise<readonly [number, string]> => {
    const answer = await fetch(at(port, `${AT}/${path}/proxy/`));
    return [answer.status, ((await answer.json()) as { message: string }).message];
  };
  assert.deepEqual(await refused("services/mirror"), [503, 'no endpoints available for service "mirror"']);
  assert.deepEqual(await refused("services/nobody:80"), [503, 'no endpoints available for service "nobody"']);
  assert.deepEqual(await refused("services/mirror:8"), [503, 'no service port 8 found for service "mirror"']);
  assert.deepEqual(await refused("services/absent"), [404, 'services "absent" not found']);
  assert.deepEqual(await refused("pods/ftp:mirror:1"), [400, 'invalid pod request "ftp:mirror:1"']);
  const [status, words] = await refused("services/mirror:shut");
  assert.equal(status, 503);
  assert.match(words, /^error trying to reach service: dial tcp \S+:9: connect: connection refused$/);
}

async function answers(port: number, index: number): Promise<void> {
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(at(port, `${POD}${path}`), { redirect: "manual", ...init });
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    assert.equal(((await (await ask("/m", { method })).json()) as Mirrored).method, method);
  }
  const head = await ask("/m", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  assert.equal((await ask("/none")).status, 404);
  const body = randomBytes(8 << 20);
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  for (const method of ["POST", "DELETE"]) {
    const echo = await ask("/echo", { method, body, headers: { "content-type": "a/b" } });
    assert.equal(echo.headers.get("content-type"), "a/b");
    assert.equal(digest(new Uint8Array(await echo.arrayBuffer())), digest(body));
  }
  const slow = (await ask("/slow")).body?.getReader();
  assert.equal(Buffer.from((await slow?.read())?.value ?? []).toString(), "one ");
  await ask("/go");
  assert.equal(Buffer.from((await slow?.read())?.value ?? []).toString(), "two");
  const cut = async (): Promise<string> => await (await ask("/cut")).text();
  await assert.rejects(cut(), "what was cut is not taken for the whole");
  const leaving = new AbortController();
  await ask(`/hang?${index}`, { signal: leaving.signal });
  leaving.abort();
  while ((await (await ask("/left")).text()) !== `/hang?${index}`);
}

async function changes(port: number): Promise<void> {
  const ask = (path: string) => fetch(at(port, `${POD}${path}`), { redirect: "manual" });
  const bare = await ask("?a=b");
  assert.deepEqual([bare.status, bare.headers.get("location")], [301, `${POD}/?a=b`]);
  const moved = await ask("/moved");
  assert.deepEqual([moved.status, moved.headers.get("location")], [302, `${POD}/next/?a=b`]);
  assert.deepEqual(moved.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(moved.headers.get("access-control-allow-origin"), null);
  for (const path of ["/page", "/packed"]) {
    assert.equal(await (await ask(path)).text(), `<a href="${POD}/a?b=1&amp;c=2">é</a><a href="b">`);
  }
}

/** What comes back on a connection that asks to become another protocol's, up to a word. */
async function upgraded(port: number, path: string, word: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.includes(word)) break;
      if (text.endsWith(";")) socket.write("said");
    }
    return text;
  } finally {
    socket.destroy();
    if (!socket.closed) await once(socket, "close");
  }
}

async function upgrades(port: number): Promise<void> {
  for (const path of ["pods/mirror", "pods/https:mirror:8443", "services/mirror:web"]) {
    const text = await upgraded(port, `${AT}/${path}/proxy/talk?a=b`, "said");
    assert.match(text, /^HTTP\/1.1 101 [^]*\r\n\r\n\/talk\?a=b;said$/);
  }
  assert.match(await upgraded(port, `${POD}/never`, "no\n"), /^HTTP\/1.1 403 [^]*no\n$/);
  assert.match(await upgraded(port, `${POD}/odd`, "}"), /invalid upgrade response: status code 200/);
}

/** It takes the verb of the method, for the subresource. */
async function rights(api: ApiUnderTest): Promise<void> {
  const run = kubectl(api.kubeconfig, api.directory.path);
  assert.ok(run !== undefined);
  const looking = await run(["get", "--raw", `${POD}/x`, "--as=looker"]);
  assert.match(looking.stdout, /"url":"\/x"/);
  assert.match((await run(["create", "--raw", `${POD}/x`, "-f", "/dev/null"])).stdout, /"method":"POST"/);
  const refused = await run(["create", "--raw", `${POD}/x`, "-f", "/dev/null", "--as=looker"]);
  assert.match(
    refused.stderr,
    /pods "mirror" is forbidden: User "looker" cannot create resource "pods\/proxy" in API group "" in the namespace "default"/,
  );
  const service = await run(["get", "--raw", `${AT}/services/mirror:80/proxy/`, "--as=looker"]);
  assert.match(service.stderr, /services "mirror:80" is forbidden: .*cannot get resource "services\/proxy"/);
}

{
  await using api = await startApi();
  await listen();
  await makeObjects(api);
  for (const [index, program] of [[kubernetesProgram("kubectl") ?? ""], OURS].entries()) {
    await using proxy = await startProxy(program, api);
    await targets(proxy.port);
    await answers(proxy.port, index);
    await changes(proxy.port);
    await upgrades(proxy.port);
  }
  await rights(api);
}
process.exit(0);
