import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { silentLogger, systemClock } from "@boxship/base";
import {
  addAddress,
  addRoute,
  type BoundSocketOptions,
  bindNamespace,
  bindSocket,
  createLink,
  createNamespace,
  detachMountsBelow,
  type Fd,
  findLink,
  inNamespace,
  NetlinkSocket,
  namespacePath,
  openLeakReport,
  openNamespace,
  setLink,
  setns,
  writeNetworkSysctl,
} from "@boxship/kernel";
import type { ConnectOptions, CreateSandboxOptions, NetworkManagerOptions } from "../contract.ts";
import { NetworkManager } from "../manager.ts";

/**
 * For tests: a machine of its own. The thread of the test, everything it starts, and with it the manager under test, live
 * in a network namespace that is the "host"; a second namespace, `outside`, is another machine on its network.
 *
 *     outside eth0 203.0.113.9, 2001:db8::9  ──  host up0 203.0.113.1, 2001:db8::1 (default route through outside)
 */
export class TestHost implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "boxship-network-"));
  readonly outside = join(this.directory, "outside");
  readonly #known = openLeakReport();
  readonly #home: Fd = openNamespace(namespacePath("net"));
  readonly #servers: (() => void)[] = [];
  readonly #managers = new Set<NetworkManager>();

  constructor() {
    using host = createNamespace("net");
    using outside = createNamespace("net");
    bindNamespace(outside, this.outside);
    setns(host, "net");
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
    const peer = { name: "eth0", namespace: { fd: outside.number } };
    createLink(route, { name: "up0", up: true, mtu: 1400, kind: { kind: "veth", peer: { ...peer, mtu: 1400 } } });
    configure(route, "up0", "203.0.113.1", "2001:db8::1");
    inNamespace(outside, "net", () => {
      using inside = new NetlinkSocket();
      setLink(inside, "lo", { up: true });
      setLink(inside, "eth0", { up: true });
      configure(inside, "eth0", "203.0.113.9", "2001:db8::9");
    });
    addRoute(route, { family: "ipv4", gateway: "203.0.113.9" });
    addRoute(route, { family: "ipv6", gateway: "2001:db8::9" });
    writeNetworkSysctl("net.ipv4.ping_group_range", "0 2147483647");
    writeFileSync(
      join(this.directory, "resolv.conf"),
      "nameserver 203.0.113.9\nsearch example.test\noptions timeout:1\n",
    );
  }

  /** Options of a manager on this machine. */
  options(name = "boxt"): NetworkManagerOptions {
    return {
      root: join(this.directory, name),
      runDir: join(this.directory, `${name}-run`),
      name,
      logger: silentLogger,
      clock: systemClock,
      hostResolvConf: join(this.directory, "resolv.conf"),
    };
  }

  async open(options: Partial<NetworkManagerOptions> = {}): Promise<NetworkManager> {
    const manager = await NetworkManager.open({ ...this.options(options.name), ...options });
    this.#managers.add(manager);
    return manager;
  }

  /** Runs a shell command in a namespace (@default the host) and returns what it prints, trimmed. Rejects on failure. */
  async run(command: string, namespace?: string): Promise<string> {
    const [file, words] = shell(command, namespace);
    const { stdout } = await promisify(execFile)(file, words, { timeout: 20_000 });
    return stdout.trim();
  }

  /** As {@link run}, and true when it succeeds. */
  async succeeds(command: string, namespace?: string): Promise<boolean> {
    try {
      await this.run(command, namespace);
      return true;
    } catch {
      return false;
    }
  }

  /** Listens in a namespace and answers every connection with a word and the client's address, then ends it. */
  serveTcp(namespace: string | undefined, port: number, word: string, address = "0.0.0.0"): void {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(`${word} ${socket.remoteAddress}\n`);
    });
    server.listen({ fd: this.#bind(namespace, { protocol: "tcp", address, port }) });
    this.#servers.push(() => server.close());
  }

  /** Receives in a namespace and answers every datagram with a word and the client's address. */
  serveUdp(namespace: string | undefined, port: number, word: string, address = "0.0.0.0"): void {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.on("message", (_, client) => socket.send(`${word} ${client.address}`, client.port, client.address));
    socket.bind({ fd: this.#bind(namespace, { protocol: "udp", address, port }) });
    this.#servers.push(() => socket.close());
  }

  /** Whatever a server says to a TCP client in a namespace; rejects when there is no connection within five seconds. */
  async askTcp(address: string, port: number, namespace?: string): Promise<string> {
    return await this.run(`nc -w 5 ${address} ${port} </dev/null`, namespace);
  }

  /** What a server answers to a datagram from a namespace, or undefined after three seconds. */
  async askUdp(address: string, port: number, namespace?: string): Promise<string | undefined> {
    const client = new UdpClient(
      this.#bind(namespace, { protocol: "udp", address: wildcard(address), port: 0 }),
      address,
    );
    try {
      return await client.ask(address, port);
    } finally {
      client[Symbol.dispose]();
    }
  }

  /** A UDP client in a namespace that keeps its port; the caller disposes it. */
  udpClient(address: string, namespace?: string): UdpClient {
    return new UdpClient(this.#bind(namespace, { protocol: "udp", address: wildcard(address), port: 0 }), address);
  }

  #bind(namespace: string | undefined, socket: BoundSocketOptions): number {
    if (namespace === undefined) return bindSocket(socket).fd.release();
    using entered = openNamespace(namespace);
    return inNamespace(entered, "net", () => bindSocket(socket).fd.release());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#servers) close();
    for (const manager of this.#managers) await manager[Symbol.asyncDispose]();
    setns(this.#home, "net");
    this.#home.close();
    detachMountsBelow(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
    await this.#checkLeaks();
  }

  /** Throws when a descriptor is open that was not when this machine was made. */
  async #checkLeaks(): Promise<void> {
    const leaks = (): string[] =>
      openLeakReport(this.#known)
        // libuv keeps one in reserve from the first server on.
        .filter(({ target }) => target !== "/dev/null")
        .map(({ number, target }) => `${number} -> ${target}`);
    // Closing is done by the event loop in its own time.
    for (let attempt = 0; attempt < 40 && leaks().length > 0; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    if (leaks().length > 0) throw new Error(`descriptors leaked: ${leaks().join(", ")}`);
  }
}

function shell(command: string, namespace: string | undefined): [file: string, words: string[]] {
  const words = ["sh", "-c", command];
  return namespace === undefined ? ["busybox", words] : ["nsenter", [`--net=${namespace}`, "busybox", ...words]];
}

function configure(route: NetlinkSocket, name: string, ipv4: string, ipv6: string): void {
  const link = findLink(route, name)?.index ?? 0;
  addAddress(route, { link, address: ipv4, prefixLength: 24 });
  addAddress(route, { link, address: ipv6, prefixLength: 64, noDuplicateDetection: true });
}

function wildcard(address: string): string {
  return address.includes(":") ? "::" : "0.0.0.0";
}

/** One UDP socket that asks. */
export class UdpClient implements Disposable {
  readonly #socket: Socket;

  constructor(fd: number, address: string) {
    this.#socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    this.#socket.on("error", () => {});
    this.#socket.bind({ fd });
  }

  /** The answer, or undefined after three seconds. */
  ask(address: string, port: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), 3000);
      this.#socket.once("message", (message) => {
        clearTimeout(timer);
        resolve(message.toString());
      });
      this.#socket.send("hello", port, address, () => {});
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

let counter = 0;

/** A container's worth of network: sandbox and one endpoint for each network named. */
export async function container(
  manager: NetworkManager,
  name: string,
  networks: readonly (string | Omit<ConnectOptions, "sandboxId" | "name">)[] = ["bridge"],
  options: Partial<CreateSandboxOptions> = {},
): Promise<TestContainer> {
  const id = newId();
  const { path } = await manager.createSandbox(id, { hostname: name, ...options });
  for (const network of networks) {
    const connection = typeof network === "string" ? { networkId: network } : network;
    await manager.connect({ sandboxId: id, name, ...connection });
  }
  const endpoints = manager.getSandbox(id).endpoints;
  return { id, path, ipv4: endpoints[0]?.ipv4?.address ?? "", ipv6: endpoints[0]?.ipv6?.address ?? "" };
}

export interface TestContainer {
  readonly id: string;
  /** Its namespace. */
  readonly path: string;
  /** On the first network. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** An id as the engine gives them. */
export function newId(): string {
  counter++;
  return counter.toString(16).padStart(12, "c").padEnd(64, "0");
}
