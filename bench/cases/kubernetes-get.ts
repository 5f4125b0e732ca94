import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type ClientHttp2Session, constants } from "node:http2";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { repositoryRoot } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { type Cluster, call, object, PATH, startCluster } from "../kubernetes-cluster.ts";

const CLIENTS = 32;
const GETS = 8000;
const END_OF_HEAD = Buffer.from("\r\n\r\n");

/**
 * A client of HTTP/1.1 that does next to nothing, so that the server is what is measured: it sends the same request again
 * when an answer is whole, and knows that by the length that the first answer had.
 */
class Getter implements Disposable {
  readonly #socket: TLSSocket;
  readonly #request: Buffer;
  #expected = 0;
  #received = 0;
  #answered: (error?: Error) => void = () => {};

  private constructor(socket: TLSSocket, path: string) {
    this.#socket = socket.setNoDelay(true);
    this.#request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#answered(error));
    socket.on("close", () => this.#answered(new Error("the server has closed a connection")));
  }

  static async open(server: string, tls: Cluster["tls"], path: string): Promise<Getter> {
    const { hostname, port } = new URL(server);
    const socket = connect({ host: hostname, port: Number(port), ...tls, ALPNProtocols: ["http/1.1"] });
    await once(socket, "secureConnect");
    return new Getter(socket, path);
  }

  get(): Promise<void> {
    this.#received = 0;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#answered = (error) => (error === undefined ? resolve() : reject(error));
    if (this.#socket.destroyed) this.#answered(new Error("the server had closed a connection"));
    this.#socket.write(this.#request);
    return promise;
  }

  #take(chunk: Buffer): void {
    if (this.#received === 0) {
      const head = chunk.toString("latin1", 0, chunk.indexOf(END_OF_HEAD) + END_OF_HEAD.length);
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
      if (!head.startsWith("HTTP/1.1 200 ") || !(length > 0)) return this.#answered(new Error(`an answer: ${head}`));
      this.#expected = head.length + length;
    }
    this.#received += chunk.length;
    if (this.#received > this.#expected) this.#answered(new Error("more was answered than was asked for"));
    else if (this.#received === this.#expected) this.#answered();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** What the cluster's server answers: its bytes, and the headers that are no matter of the connection. */
async function answerOf(session: ClientHttp2Session, path: string) {
  const stream = session.request({ ":path": path, accept: "application/json" });
  const [head] = (await once(stream, "response")) as [Readonly<Record<string, string>>];
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const kept = Object.entries(head).filter(([name]) => !name.startsWith(":") && name !== constants.HTTP2_HEADER_DATE);
  return { body: body.toString("base64"), headers: { ...Object.fromEntries(kept), "content-length": body.length } };
}

/** Node's own server, with the cluster's certificate, that gives the same bytes. @returns its address */
async function startBare(root: string, cluster: Cluster, path: string, stack: AsyncDisposableStack): Promise<string> {
  const child: ChildProcess = fork(join(repositoryRoot, "bench/bare-https.mjs"), { execArgv: [] });
  stack.defer(async () => {
    const exit = once(child, "exit");
    child.disconnect();
    await exit;
  });
  const file = (name: string): Promise<string> => readFile(join(root, "cluster/pki", name), "utf8");
  const [key, cert] = await Promise.all([file("apiserver.key"), file("apiserver.crt")]);
  child.send({ key, cert, ...(await answerOf(cluster.sessions[0] as ClientHttp2Session, path)) });
  const [{ port }] = (await once(child, "message")) as [{ readonly port: number }];
  return `https://127.0.0.1:${port}`;
}

/** Sixty in a hundred of what Node's server gives: the same number of gets takes at most 1.67 times as long. */
export const getBenchmark: Benchmark<Context> = {
  name: "kube-get-bare",
  title: `${GETS.toLocaleString("en")} gets of 1 KiB over HTTPS (HTTP/1.1), 32 clients, beside a bare node:https server`,
  unit: "ms",
  rounds: 9,
  warmUp: 2,
  targets: [{ side: "boxship", against: "node:https", atMost: 1 / 0.6 }],
  async prepare(context, stack) {
    const root = context.work.join("kube-get-bare");
    const cluster = stack.use(await startCluster(root));
    await call(cluster.sessions[0] as ClientHttp2Session, "POST", PATH, object("got"));
    const path = `${PATH}/got`;
    const bare = await startBare(root, cluster, path, stack);
    const side = (name: string, server: string) => {
      let clients: readonly Getter[] = [];
      const close = (): void => clients.forEach((client) => client[Symbol.dispose]());
      stack.defer(close);
      // Anew for each round: both close connections that nobody has used for five seconds.
      const before = async (): Promise<void> => {
        close();
        clients = await Promise.all(Array.from({ length: CLIENTS }, () => Getter.open(server, cluster.tls, path)));
        await Promise.all(clients.map((client) => client.get()));
      };
      const measure = async (): Promise<number> => {
        const started = performance.now();
        let left = GETS;
        await Promise.all(
          clients.map(async (client) => {
            while (left-- > 0) await client.get();
          }),
        );
        return performance.now() - started;
      };
      return { name, before, measure };
    };
    return [side("boxship", cluster.server), side("node:https", bare)];
  },
};
