import { connect } from "node:net";
import { Unavailable } from "@boxship/base";
import { type ClientSession, clientSession, GrpcClient, type Method } from "@boxship/grpc";
import type { Cri, CriCall } from "./contract.ts";
import { IMAGE_METHODS, RUNTIME_METHODS } from "./methods.ts";

/** The CRI of any engine, at its socket. It connects when it is first used, and again when the engine was away. */
export function connectCri(socket: string): Cri {
  const connection = new Connection(socket);
  const { getContainerEvents, ...unary } = { ...RUNTIME_METHODS, ...IMAGE_METHODS };
  const calls = Object.entries(unary as unknown as Record<string, Method<unknown, unknown>>).map(([name, method]) => {
    const call = async (request: object, { signal }: CriCall = {}) =>
      (await connection.client()).unary(method, request, { signal });
    return [name, call];
  });
  return {
    ...(Object.fromEntries(calls) as Omit<Cri, "getContainerEvents" | typeof Symbol.asyncDispose>),
    async *getContainerEvents(request, { signal } = {}) {
      const client = await connection.client();
      using call = client.call(getContainerEvents, { signal });
      await call.send(request);
      call.endRequests();
      try {
        yield* call.responses;
      } catch (error) {
        if (signal?.aborted !== true) throw error;
      }
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  };
}

interface Open {
  readonly client: Promise<GrpcClient>;
  session?: ClientSession;
}

/** One connection for all calls. */
class Connection implements Disposable {
  readonly #socket: string;
  #open: Open | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  client(): Promise<GrpcClient> {
    this.#open ??= this.#dial();
    return this.#open.client;
  }

  #dial(): Open {
    const open: Open = {
      client: this.#connect().then((session) => {
        open.session = session;
        return new GrpcClient(session, { isPlain: true });
      }),
    };
    const forget = (): void => {
      if (this.#open === open) this.#open = undefined;
    };
    open.client.then(() => open.session?.once("close", forget), forget);
    return open;
  }

  #connect(): Promise<ClientSession> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#socket);
      const fail = (cause: Error): void =>
        reject(
          new Unavailable(`no engine answers at ${this.#socket}: ${cause.message}`, {
            cause,
            subject: { kind: "socket", name: this.#socket },
          }),
        );
      socket.once("error", fail);
      socket.once("connect", () => {
        socket.off("error", fail);
        const session = clientSession(socket);
        session.on("error", () => {});
        resolve(session);
      });
    });
  }

  [Symbol.dispose](): void {
    const open = this.#open;
    this.#open = undefined;
    open?.client.then(
      () => open.session?.destroy(),
      () => {},
    );
  }
}
