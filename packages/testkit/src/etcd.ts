import { existsSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { type Background, startProgram, waitUntilReady } from "./process.ts";
import { repositoryRoot } from "./run-program.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface EtcdOptions {
  /** The distribution's, or today's. @default stable */
  readonly release?: "stable" | "current";
  /** How many members. @default 1 */
  readonly members?: number;
  /** Files of certificates: the members serve TLS, and want clients' certificates of that authority. @default plain */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** More flags of each member. */
  readonly flags?: readonly string[];
}

export interface EtcdMember {
  /** Where clients reach it. */
  readonly endpoint: string;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Waits until it has ended. */
  ended(): Promise<void>;
  /** Starts it again with its data. */
  start(): Promise<void>;
}

/** A real etcd cluster on loopback ports. Disposing it ends the members and removes their data. */
export interface TestEtcd extends AsyncDisposable {
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
}

/** The program, or undefined where it cannot be had. */
export function etcdProgram(release: "stable" | "current" = "stable"): string | undefined {
  const unpacked = resolve(
    repositoryRoot,
    release === "stable" ? ".cache/parts" : ".cache/clients",
    "root/usr/bin/etcd",
  );
  if (existsSync(unpacked)) return unpacked;
  return release === "stable" && existsSync("/usr/bin/etcd") ? "/usr/bin/etcd" : undefined;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((done, fail) => {
          const server = createServer().once("error", fail);
          server.listen(0, "127.0.0.1", () => done(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function healthy(port: number): Promise<boolean> {
  return new Promise((done) => {
    const asked = request({ host: "127.0.0.1", port, path: "/health", timeout: 2000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
      response.on("end", () => done(text.includes('"true"')));
    });
    asked.on("error", () => done(false)).end();
  });
}

/** @throws Error where etcd cannot be had, or with the end of its log */
export async function startEtcd(options: EtcdOptions = {}): Promise<TestEtcd> {
  const program = etcdProgram(options.release);
  if (program === undefined) throw new Error("etcd is not on this machine");
  const count = options.members ?? 1;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("etcd"));
  const ports = await freePorts(count * 3);
  const plans = Array.from({ length: count }, (_, index) => ({
    name: `m${index}`,
    client: ports[index * 3] ?? 0,
    peer: ports[index * 3 + 1] ?? 0,
    metrics: ports[index * 3 + 2] ?? 0,
  }));
  const cluster = plans.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(",");
  const members = plans.map((plan) => member(program, plan, cluster, directory, options, stack));
  await Promise.all(members.map((each) => each.start()));
  const owned = stack.move();
  return {
    members,
    endpoints: members.map(({ endpoint }) => endpoint),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface MemberPlan {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
  readonly metrics: number;
}

function member(
  program: string,
  { name, client, peer, metrics }: MemberPlan,
  cluster: string,
  directory: TempDir,
  { tls, flags = [] }: EtcdOptions,
  stack: AsyncDisposableStack,
): EtcdMember {
  const endpoint = `${tls === undefined ? "http" : "https"}://127.0.0.1:${client}`;
  const log = directory.join(`${name}.log`);
  const secured =
    tls === undefined
      ? []
      : [
          `--cert-file=${tls.certificate}`,
          `--key-file=${tls.key}`,
          `--trusted-ca-file=${tls.ca}`,
          "--client-cert-auth",
        ];
  // A test that is killed takes its etcd along.
  const command = [
    ...["setpriv", "--pdeathsig", "KILL", program, `--name=${name}`, `--data-dir=${directory.join(name)}`],
    ...[`--listen-client-urls=${endpoint}`, `--advertise-client-urls=${endpoint}`],
    ...[`--listen-peer-urls=http://127.0.0.1:${peer}`, `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`],
    ...[`--listen-metrics-urls=http://127.0.0.1:${metrics}`, `--initial-cluster=${cluster}`, "--logger=zap"],
    ...secured,
    ...flags,
  ];
  let running: Background | undefined;
  stack.defer(async () => {
    running?.kill("SIGKILL");
    await running?.waitForEnd();
  });
  return {
    endpoint,
    get pid() {
      return running?.pid ?? 0;
    },
    kill: (signal) => running?.kill(signal),
    ended: async () => void (await running?.waitForEnd()),
    start: async () => {
      running = await startProgram(command, { log });
      await waitUntilReady(running, log, () => healthy(metrics), 60_000);
    },
  };
}
