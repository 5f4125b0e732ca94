import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { silentLogger, systemClock } from "@boxship/base";
import {
  addAddress,
  addRoute,
  bindNamespace,
  createLink,
  createNamespace,
  detachMountsBelow,
  type Fd,
  findLink,
  inNamespace,
  NetlinkSocket,
  namespacePath,
  openNamespace,
  setLink,
  setns,
  writeNetworkSysctl,
} from "@boxship/kernel";
import type { NetworkManagerOptions } from "../contract.ts";
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
  readonly #home: Fd = openNamespace(namespacePath("net"));
  readonly #children = new Set<ChildProcess>();
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

  /** Starts a shell command that ends with this machine. */
  start(command: string, namespace?: string): ChildProcess {
    const [file, words] = shell(command, namespace);
    const child = spawn(file, words, { stdio: "ignore" });
    this.#children.add(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const manager of this.#managers) await manager[Symbol.asyncDispose]();
    setns(this.#home, "net");
    this.#home.close();
    detachMountsBelow(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
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

let counter = 0;

/** An id as the engine gives them. */
export function newId(): string {
  counter++;
  return counter.toString(16).padStart(12, "c").padEnd(64, "0");
}
