import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { errorMessage, type Logger } from "@boxship/base";
import type { EngineContext } from "@boxship/engine";
import { limitServer, SERVER_OPTIONS } from "../http/server-limits.ts";
import { openRegistry, type Registry } from "../open-registry.ts";
import { engineImages, engineListener } from "./engine-images.ts";

export interface EngineRegistryOptions {
  readonly engine: EngineContext;
  /** Directory of what belongs to which repository; the bytes are in the engine's content store. */
  readonly root: string;
  readonly logger: Logger;
}

/** The registry of an engine, over the engine's own content: nothing is copied on its way in or out. */
export interface EngineRegistry extends AsyncDisposable {
  /** Not listening yet. */
  readonly server: Server;
  /** @throws as {@link openRegistry} */
  open(): Promise<Registry>;
}

/**
 * Costs next to nothing until the first request: the registry is opened then, or when a sweep must know what it needs.
 * A registry that is not served any more keeps what was pushed to it all the same.
 */
export function openEngineRegistry({ engine, root, logger }: EngineRegistryOptions): EngineRegistry {
  const { images } = engine;
  let opened: Promise<Registry> | undefined;
  let registry: Registry | undefined;
  const open = (): Promise<Registry> => {
    opened ??= openRegistry({
      root,
      content: images.content,
      shared: {
        images: engineImages(engine),
        listener: engineListener(engine, logger),
        sweep: () => sweepBoth(engine),
      },
      clock: engine.clock,
      logger,
    }).then((ready) => (registry = ready));
    opened.catch((error: unknown) => {
      opened = undefined;
      logger.error(`the registry cannot be opened: ${errorMessage(error)}`);
    });
    return opened;
  };
  const keeping = images.keep({
    chains: () => [],
    // Without an index nothing was ever pushed.
    blobs: async () => (existsSync(join(root, "index.db")) ? (await open()).kept() : []),
    isNew: (digest) => registry?.isNew(digest as Parameters<Registry["isNew"]>[0]) === true,
  });
  const server = createServer(SERVER_OPTIONS, (request, response) => void forward(open, request, response));
  limitServer(server);
  return {
    server,
    open,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]();
      // Only now: nothing of it may be swept while somebody could still push.
      keeping[Symbol.dispose]();
    },
  };
}

async function forward(
  open: () => Promise<Registry>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    (await open()).server.emit("request", request, response);
  } catch {
    response.writeHead(503, { "content-length": "0", connection: "close" }).end();
  }
}

async function sweepBoth({ images }: EngineContext): Promise<{ readonly blobs: number; readonly freed: number }> {
  const before = await images.content.usage();
  await images.sweep();
  const after = await images.content.usage();
  return { blobs: Math.max(0, before.blobs - after.blobs), freed: Math.max(0, before.blobBytes - after.blobBytes) };
}
