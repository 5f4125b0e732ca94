import type { Method } from "@boxship/grpc";
import type { Cri, CriCall, CriHandlers } from "./contract.ts";
import { IMAGE_METHODS, RUNTIME_METHODS } from "./methods.ts";

const NEVER = new AbortController().signal;
type AnyMethod = Method<unknown, unknown>;
type AnyHandler = (request: unknown, signal: AbortSignal) => Promise<unknown>;

/** The CRI of an engine in this process. What is left out has its default, as on the wire. */
export function inProcessCri(handlers: CriHandlers): Cri {
  const { getContainerEvents, ...unary } = { ...RUNTIME_METHODS, ...IMAGE_METHODS };
  const calls = Object.entries(unary as unknown as Record<string, AnyMethod>).map(([name, { request, response }]) => {
    const handler = handlers[name as keyof CriHandlers] as unknown as AnyHandler;
    const call = async (given: object, { signal = NEVER }: CriCall = {}) =>
      response.decode(response.encode(await handler(request.decode(request.encode(given)), signal)));
    return [name, call];
  });
  return {
    ...(Object.fromEntries(calls) as Omit<Cri, "getContainerEvents" | typeof Symbol.asyncDispose>),
    async *getContainerEvents(_request, { signal = NEVER } = {}) {
      const { response } = getContainerEvents;
      const events = handlers.getContainerEvents({}, signal);
      for await (const event of events) yield response.decode(response.encode(event));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
