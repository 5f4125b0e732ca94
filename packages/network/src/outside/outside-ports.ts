import { connect, type Socket } from "node:net";
import { type Clock, sleep, Unavailable } from "@boxship/base";
import { SyscallError } from "@boxship/kernel";
import type { PortBinding } from "../contract.ts";
import type { ForwarderAnswer, ForwarderRequest, OutsidePorts, PortTarget } from "./contract.ts";

/** A forwarder that was just started needs this long at most until it listens. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 20;

interface Call {
  readonly request: ForwarderRequest;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Asks the forwarder of published ports ({@link forwardPorts}) over its socket. */
export class OutsidePortsClient implements OutsidePorts, Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #waiting: Call[] = [];
  #socket: Promise<Socket> | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  publish(binding: PortBinding, target: PortTarget | undefined): Promise<void> {
    return this.#ask({ operation: "publish", binding, target });
  }

  lead(binding: PortBinding, target: PortTarget | undefined): Promise<void> {
    return this.#ask({ operation: "lead", binding, target });
  }

  withdraw(binding: PortBinding): Promise<void> {
    return this.#ask({ operation: "withdraw", binding });
  }

  retain(bindings: readonly PortBinding[]): Promise<void> {
    return this.#ask({ operation: "retain", bindings });
  }

  [Symbol.dispose](): void {
    void this.#socket?.then((socket) => socket.destroy());
  }

  async #ask(request: ForwarderRequest): Promise<void> {
    this.#socket ??= this.#open();
    const socket = await this.#socket;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  async #open(): Promise<Socket> {
    try {
      const socket = await this.#connected();
      // Idle, it keeps nobody's process.
      socket.unref();
      this.#listen(socket);
      return socket;
    } catch (error) {
      this.#socket = undefined;
      throw error;
    }
  }

  async #connected(): Promise<Socket> {
    const deadline = this.#clock.monotonic() + PATIENCE_MS;
    for (;;) {
      try {
        return await attempt(this.#path);
      } catch (error) {
        if (this.#clock.monotonic() > deadline) throw unanswered(error);
        await sleep(this.#clock, RETRY_MS);
      }
    }
  }

  #listen(socket: Socket): void {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (data: string) => {
      const lines = (text + data).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#settle(JSON.parse(line) as ForwarderAnswer);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#socket = undefined;
      for (const { reject } of this.#waiting.splice(0)) reject(unanswered());
    });
  }

  #settle({ failure }: ForwarderAnswer): void {
    const call = this.#waiting.shift();
    if (failure === undefined) call?.resolve();
    else if (failure.errno === undefined) call?.reject(new Unavailable(failure.message));
    else call?.reject(new SyscallError(failure.errno, failure.call ?? "bind", failure.message));
  }
}

function attempt(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

function unanswered(cause?: unknown): Unavailable {
  return new Unavailable("the forwarder of published ports does not answer", {
    remedy: "restart the engine, which starts it again (boxship daemon stop)",
    cause,
  });
}
