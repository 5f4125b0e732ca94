import { createServer, type Server } from "node:net";
import type { Logger } from "@boxship/base";
import { type Handler, type Method, onlyRequest, serveGrpc, serverSession, streaming, unary } from "@boxship/grpc";
import type { CriHandlers } from "./contract.ts";
import { IMAGE_METHODS, RUNTIME_METHODS } from "./methods.ts";
import { streamedLists } from "./streamed-lists.ts";

/** A server that speaks the CRI by gRPC; the caller has it listen. Calls that it does not know are refused by name. */
export class CriDoor implements Disposable {
  readonly server: Server;
  readonly #open = new Set<{ destroy(): void }>();

  /** @param more what else is served here */
  constructor(handlers: CriHandlers, logger: Logger, more: readonly Handler[] = []) {
    const served = [...grpcHandlers(handlers), ...streamedLists(handlers), ...more];
    this.server = createServer((socket) => {
      const session = serverSession(socket);
      this.#open.add(session);
      session.once("close", () => this.#open.delete(session));
      serveGrpc(session, served, {
        onError: (path, error) => logger.error("a call of the CRI failed", { path, error }),
      });
    });
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    this.server.close();
    for (const session of this.#open) session.destroy();
  }
}

function grpcHandlers(handlers: CriHandlers): readonly Handler[] {
  const { getContainerEvents, ...rest } = { ...RUNTIME_METHODS, ...IMAGE_METHODS };
  const served = Object.entries(rest as unknown as Record<string, Method<unknown, object>>).map(([name, method]) => {
    const handler = handlers[name as keyof CriHandlers] as unknown as (
      request: unknown,
      signal: AbortSignal,
    ) => Promise<object>;
    return unary(method, (request, { signal }) => handler(request, signal));
  });
  const events = streaming(getContainerEvents, async (call) => {
    const request = await onlyRequest(call, getContainerEvents.path);
    for await (const event of handlers.getContainerEvents(request, call.signal)) await call.send(event);
  });
  return [...served, events];
}
