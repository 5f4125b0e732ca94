import { once } from "node:events";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { errorMessage, FailedPrecondition, InvalidArgument, type Logger } from "@boxship/base";
import type { Engine } from "@boxship/engine";
import type { OutsidePorts } from "@boxship/network";

export interface RegistryDoorOptions {
  readonly engine: Engine;
  /** Durable state of the instance. */
  readonly root: string;
  /** `HOST:PORT`; undefined: nothing is served, and what was pushed earlier is kept. */
  readonly listen: string | undefined;
  readonly logger: Logger;
  /** For an engine whose loopback is not the machine's. @default none is needed */
  readonly outsidePorts?: OutsidePorts;
}

export interface RegistryDoor extends AsyncDisposable {
  /** What the registry says of what it keeps; undefined where there is none. */
  check(options: { readonly repair: boolean }): Promise<object | undefined>;
}

/**
 * Serves the engine's content as a registry on a loopback address, where the configuration asks for one.
 *
 * @throws InvalidArgument for an address that others can reach, FailedPrecondition for one that is taken
 */
export async function openRegistryDoor(options: RegistryDoorOptions): Promise<RegistryDoor> {
  const { engine, listen, logger } = options;
  const root = join(options.root, "registry");
  const address = listen === undefined ? undefined : loopbackAddress(listen);
  if (address === undefined && !existsSync(join(root, "index.db"))) {
    return { check: () => Promise.resolve(undefined), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const { openEngineRegistry } = await import("@boxship/registry/engine");
  const registry = openEngineRegistry({ engine: engine.parts, root, logger });
  const door: RegistryDoor = {
    // Where nothing was ever pushed there is nothing to look at.
    check: async (request) => (existsSync(join(root, "index.db")) ? (await registry.open()).check(request) : undefined),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
  if (address === undefined) return door;
  try {
    registry.server.listen(address.port, address.host);
    await once(registry.server, "listening");
  } catch (error) {
    await registry[Symbol.asyncDispose]();
    throw new FailedPrecondition(`the registry cannot listen at ${listen}: ${errorMessage(error)}`, {
      cause: error,
      remedy: "choose another port as registry.listen in the configuration",
    });
  }
  await publishOutside(registry.server.address() as AddressInfo, options);
  logger.info("serving the images as a registry", { address: registry.server.address() });
  return door;
}

/** Clients are on the machine's loopback. @throws FailedPrecondition for a port that is taken there */
async function publishOutside(
  { address, port }: AddressInfo,
  { outsidePorts, listen }: RegistryDoorOptions,
): Promise<void> {
  try {
    await outsidePorts?.publish(
      { protocol: "tcp", hostIP: address, hostPort: port, containerPort: port },
      { address, port },
    );
  } catch (error) {
    throw new FailedPrecondition(`the registry cannot listen at ${listen}: ${errorMessage(error)}`, {
      cause: error,
      remedy: "choose another port as registry.listen in the configuration",
    });
  }
}

/** @throws InvalidArgument */
export function loopbackAddress(listen: string): { readonly host: string; readonly port: number } {
  const match = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[2]);
  if (match !== null && port <= 65_535) return { host: (match[1] ?? "").replace(/[[\]]/g, ""), port };
  throw new InvalidArgument(`registry.listen must be a loopback address with a port, not ${JSON.stringify(listen)}`, {
    subject: { kind: "configuration", name: "registry.listen" },
    remedy: "for other machines there is 'boxship registry serve', which knows users and TLS",
  });
}
