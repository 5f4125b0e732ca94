import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { timestamp } from "@boxship/api";
import { silentLogger, systemClock } from "@boxship/base";
import { openSqliteStore } from "@boxship/store";
import { type TempDir, tempDir } from "@boxship/testkit";
import { type ClusterCertificates, clusterCertificates } from "../certificates/cluster-certificates.ts";
import { kubeconfig } from "../certificates/kubeconfig.ts";
import { type ApiServer, type ApiServerOptions, openApiServer } from "../open-api-server.ts";
import { EncryptedValues } from "../storage/encrypted-values.ts";
import { SigningKeys } from "../tokens/signing-keys.ts";

/** JSON that a test looks into without asking first what it is. */
export type Loose = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly bytes: Buffer;
  readonly text: string;
  readonly json: Loose;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Without the administrator's certificate. */
  readonly anonymous?: boolean;
}

/** A server of the API with everything real, on a port of its own. */
export interface ApiUnderTest extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly directory: TempDir;
  /** Path of the administrator's. */
  readonly kubeconfig: string;
  readonly certificates: ClusterCertificates;
  /** The server that answers now. */
  server(): ApiServer;
  /** Ends the server, and begins it again on what it has kept. */
  restart(): Promise<void>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Keeps a slice past validation, which lets nobody be at an address of the loopback interface. */
  keepSlice(slice: Loose): Promise<void>;
  /** The answer to a GET as it comes; the caller ends it. */
  stream(path: string, headers?: Readonly<Record<string, string>>): Promise<IncomingMessage>;
}

export async function startApi(options: Partial<ApiServerOptions> = {}, directory?: TempDir): Promise<ApiUnderTest> {
  await using stack = new AsyncDisposableStack();
  const temporary = directory ?? stack.use(tempDir());
  const certificates = await clusterCertificates({
    directory: temporary.join("pki"),
    clock: systemClock,
  });
  const store = stack.use(await openSqliteStore({ path: temporary.join("state.db") }));
  const secrets = await EncryptedValues.open(temporary.join("keys"));
  const signingKeys = await SigningKeys.open(temporary.join("tokens.keys"));
  let running: AsyncDisposableStack | undefined;
  let server: ApiServer | undefined;
  const listen = async (at: number): Promise<number> => {
    await using starting = new AsyncDisposableStack();
    const api = starting.use(
      await openApiServer({
        store,
        certificates,
        secrets,
        signingKeys,
        port: 6443,
        logger: silentLogger,
        ...options,
      }),
    );
    starting.defer(async () => {
      api.stop();
      api.closeConnections();
      api.server.close();
      if (api.server.listening) await once(api.server, "close");
    });
    api.server.listen(at, "127.0.0.1");
    await once(api.server, "listening");
    running = starting.move();
    server = api;
    return (api.server.address() as AddressInfo).port;
  };
  stack.defer(async () => await running?.disposeAsync());
  const port = await listen(0);
  const url = `https://127.0.0.1:${port}`;
  const config = temporary.join("kubeconfig");
  await writeFile(config, kubeconfig({ name: "test", server: url, certificates }), { mode: 0o600 });
  const { authority, admin } = certificates;
  const named = new Agent({ keepAlive: true, ca: authority, cert: admin.certificate, key: admin.key });
  const nameless = new Agent({ ca: authority });
  stack.defer(() => {
    named.destroy();
    nameless.destroy();
  });
  const owned = stack.move();
  return {
    url,
    port,
    directory: temporary,
    kubeconfig: config,
    certificates,
    server() {
      if (server === undefined) throw new Error("the server has not started");
      return server;
    },
    call: (method, path, { body, headers = {}, anonymous = false } = {}) =>
      call(`${url}${path}`, method, anonymous ? nameless : named, body, headers),
    async keepSlice({ metadata, ...rest }) {
      if (server === undefined) throw new Error("the server has not started");
      const { kinds, objects } = server.context;
      const kind = kinds.find("discovery.k8s.io", "v1", "endpointslices");
      if (kind === undefined) throw new Error("there are no slices");
      const own = { namespace: "default", uid: randomUUID(), creationTimestamp: timestamp(Date.now()), ...metadata };
      const slice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: own, ...rest };
      const before = await objects.get(kind, own.namespace, own.name);
      if (before === undefined) await objects.create(kind, slice);
      else await objects.update(kind, slice, before.revision);
    },
    async stream(path, headers = {}) {
      const sent = request(`${url}${path}`, { agent: named, headers });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return response;
    },
    async restart() {
      await running?.disposeAsync();
      running = undefined;
      // Connections that ended a moment ago: a call over one would be cut.
      named.destroy();
      await listen(port);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function call(
  url: string,
  method: string,
  agent: Agent,
  body: unknown,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<Answer> {
  const isText = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const bytes = isText ? body : JSON.stringify(body);
  const type =
    bytes === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(bytes) };
  const sent = request(url, { method, agent, headers: { ...type, ...headers } });
  sent.end(bytes);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const whole = Buffer.concat(chunks);
  const text = whole.toString();
  let json: Loose;
  try {
    json = JSON.parse(text);
  } catch {
    // Not everything is JSON.
  }
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: whole, text, json };
}
