import type { Logger } from "@boxship/base";
import type { NftCommand } from "@boxship/kernel";
import { firewallError } from "../errors.ts";
import type { NetworkThread } from "../worker/network-thread.ts";
import {
  addNetwork,
  addPort,
  type FirewallNetwork,
  type FirewallPort,
  fullRuleset,
  removeNetwork,
  removePort,
  removeRuleset,
  tableName,
} from "./ruleset.ts";

/** What one caller wants changed; all of it or nothing. */
export interface FirewallChange {
  readonly addNetworks?: readonly FirewallNetwork[];
  readonly removeNetworks?: readonly FirewallNetwork[];
  readonly addPorts?: readonly FirewallPort[];
  readonly removePorts?: readonly FirewallPort[];
}

interface Waiting {
  readonly change: FirewallChange;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface FirewallOptions {
  readonly thread: NetworkThread;
  /** Instance name. */
  readonly name: string;
  readonly logger: Logger;
}

/**
 * Keeps the instance's nftables table as it should be. Changes that arrive while one is being made are made together, in
 * one transaction. When the kernel's table turns out to be another than expected (somebody flushed the ruleset), it is
 * written anew, whole.
 */
export class Firewall {
  readonly #thread: NetworkThread;
  readonly #table: string;
  readonly #logger: Logger;
  readonly #networks = new Map<string, FirewallNetwork>();
  readonly #ports = new Map<string, FirewallPort>();
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(options: FirewallOptions) {
    this.#thread = options.thread;
    this.#table = tableName(options.name);
    this.#logger = options.logger;
  }

  /** Replaces the table, in one step: packets meet the old one or the new one. */
  async reset(networks: readonly FirewallNetwork[], ports: readonly FirewallPort[]): Promise<void> {
    this.#networks.clear();
    this.#ports.clear();
    this.#note({ addNetworks: networks, addPorts: ports });
    try {
      await this.#rewrite();
    } catch (error) {
      throw firewallError(error);
    }
  }

  /** In effect once it resolves. */
  apply(change: FirewallChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Removes the table. */
  async remove(): Promise<void> {
    await this.#running;
    await this.#thread.call("runNft", removeRuleset(this.#table));
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#commit(batch.map(({ change }) => change));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#logger.warn("nftables refused a change; trying the whole table", { table: this.#table, error });
        for (const waiting of batch) await this.#insist(waiting);
      }
    }
    this.#running = undefined;
  }

  async #commit(changes: readonly FirewallChange[]): Promise<void> {
    const commands = changes.flatMap((change) => this.#commands(change));
    if (commands.length > 0) await this.#thread.call("runNft", commands);
    for (const change of changes) this.#note(change);
  }

  /** A change by itself, over a table that is written anew. */
  async #insist({ change, resolve, reject }: Waiting): Promise<void> {
    const networks = new Map(this.#networks);
    const ports = new Map(this.#ports);
    this.#note(change);
    try {
      await this.#rewrite();
      resolve();
    } catch (error) {
      restore(this.#networks, networks);
      restore(this.#ports, ports);
      reject(firewallError(error));
    }
  }

  async #rewrite(): Promise<void> {
    const commands = fullRuleset(this.#table, [...this.#networks.values()], [...this.#ports.values()]);
    await this.#thread.call("runNft", commands);
  }

  #commands(change: FirewallChange): NftCommand[] {
    return [
      ...(change.removePorts ?? []).map((port) => removePort(this.#table, port)),
      ...(change.removeNetworks ?? []).flatMap((network) => removeNetwork(this.#table, network)),
      ...(change.addNetworks ?? []).flatMap((network) => addNetwork(this.#table, network)),
      ...(change.addPorts ?? []).map((port) => addPort(this.#table, port)),
    ];
  }

  #note(change: FirewallChange): void {
    for (const port of change.removePorts ?? []) this.#ports.delete(portKey(port));
    for (const network of change.removeNetworks ?? []) this.#networks.delete(network.bridge);
    for (const network of change.addNetworks ?? []) this.#networks.set(network.bridge, network);
    for (const port of change.addPorts ?? []) this.#ports.set(portKey(port), port);
  }
}

function portKey({ protocol, hostIP, hostPort }: FirewallPort): string {
  return `${protocol} ${hostIP} ${hostPort}`;
}

function restore<Value>(map: Map<string, Value>, before: ReadonlyMap<string, Value>): void {
  map.clear();
  for (const [key, value] of before) map.set(key, value);
}
