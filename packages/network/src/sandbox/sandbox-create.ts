import { isIP } from "node:net";
import { AlreadyExists, InvalidArgument } from "@boxship/base";
import { networkSysctlPath } from "@boxship/kernel";
import type { CreateSandboxOptions, Sandbox } from "../contract.ts";
import type { LiveSandbox, ManagerContext } from "../live.ts";
import { bindingsOf, type StoredSandbox } from "../state/stored.ts";

/** Makes a sandbox with nothing but loopback in it. */
export async function createSandbox(
  context: ManagerContext,
  id: string,
  options: CreateSandboxOptions,
): Promise<Sandbox> {
  checkOptions(options);
  return await context.locks.run(`sandbox ${id}`, async () => {
    if (context.sandboxes.has(id)) {
      throw new AlreadyExists(`sandbox ${id} already exists`, { subject: { kind: "sandbox", name: id } });
    }
    const path = await context.pool.take(options.userNamespace);
    try {
      const sysctls = options.sysctls ?? {};
      if (Object.keys(sysctls).length > 0) await context.thread.call("writeSysctls", { namespace: path, sysctls });
      const stored: StoredSandbox = {
        id,
        path,
        hostname: options.hostname,
        ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
        dns: options.dns ?? {},
        extraHosts: options.extraHosts ?? [],
        endpoints: [],
        published: [],
      };
      context.sandboxStore.save(stored);
      const sandbox: LiveSandbox = { stored, reservations: [], firewallPorts: [], resolver: undefined };
      context.sandboxes.set(id, sandbox);
      return describeSandbox(sandbox);
    } catch (error) {
      await context.thread.call("releaseNamespace", path);
      throw error;
    }
  });
}

/** What the outside sees of a sandbox. */
export function describeSandbox({ stored }: LiveSandbox): Sandbox {
  return { id: stored.id, path: stored.path, endpoints: stored.endpoints, ports: bindingsOf(stored) };
}

/** Writes a new state of a sandbox down, then shows it. */
export function updateSandbox(context: ManagerContext, sandbox: LiveSandbox, change: Partial<StoredSandbox>): void {
  const next = { ...sandbox.stored, ...change };
  context.sandboxStore.save(next);
  sandbox.stored = next;
}

function checkOptions({ dns, extraHosts = [], sysctls = {} }: CreateSandboxOptions): void {
  for (const server of dns?.servers ?? []) {
    if (isIP(server) === 0) {
      throw new InvalidArgument(`${JSON.stringify(server)} is no address of a DNS server`, {
        subject: { kind: "address", name: server },
      });
    }
  }
  for (const { name, address } of extraHosts) {
    if (address === "host-gateway" || isIP(address) !== 0) continue;
    throw new InvalidArgument(`extra host ${name} has the invalid address ${JSON.stringify(address)}`, {
      subject: { kind: "address", name: address },
    });
  }
  for (const name of Object.keys(sysctls)) networkSysctlPath(name);
}
