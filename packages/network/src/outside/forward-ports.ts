import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { constants } from "node:os";
import { errorMessage, type Logger, startWorker, Unsupported } from "@boxship/base";
import { bindSocket, SyscallError } from "@boxship/kernel";
import type { PortBinding } from "../contract.ts";
import { type ForwarderAnswer, type ForwarderRequest, type PortTarget, portKey } from "./contract.ts";
import type { ForwarderCommand, ForwarderReply } from "./port-forwarder-worker.ts";

export interface ForwardPortsOptions {
  /** Unix socket to be asked at; see {@link OutsidePorts} for what can be asked. Replaced when it exists. */
  readonly socket: string;
  /** The network namespace in which the targets are, a path. */
  readonly namespace: string;
  readonly logger: Logger;
}

/**
 * Listens for published ports in the network namespace of this process and connects in another. Runs until it is
 * disposed.
 *
 * Sockets stay in the namespace that they were made in, and a thread has one of its own. So this thread binds, and a
 * worker that lives in the other namespace takes the connections and makes their other halves.
 */
export async function forwardPorts(options: ForwardPortsOptions): Promise<AsyncDisposable> {
  await rm(options.socket, { force: true });
  const forwarder = new Forwarder(options);
  const server = createServer((client) => serve(client, (request) => forwarder.answer(request)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.socket, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      await forwarder[Symbol.asyncDispose]();
    },
  };
}

/** One answer for each line, in order. */
function serve(client: Socket, answer: (request: ForwarderRequest) => Promise<ForwarderAnswer>): void {
  let text = "";
  let last: Promise<unknown> = Promise.resolve();
  client.setEncoding("utf8");
  client.on("error", () => client.destroy());
  client.on("data", (data: string) => {
    const lines = (text + data).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      last = last.then(async () => client.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`));
    }
  });
}

class Forwarder implements AsyncDisposable {
  readonly #worker;
  readonly #ports = new Map<string, PortBinding>();
  readonly #replies: ((reply: ForwarderReply) => void)[] = [];

  constructor({ namespace, logger }: ForwardPortsOptions) {
    this.#worker = startWorker("port-forwarder", new URL("./port-forwarder-worker.ts", import.meta.url), {
      workerData: { namespace },
    });
    this.#worker.on("message", (reply: ForwarderReply) => this.#replies.shift()?.(reply));
    this.#worker.on("error", (error) => {
      // Without it nothing is forwarded: the next start of the engine starts another forwarder.
      logger.error("forwarding published ports failed", { error });
      process.exit(1);
    });
  }

  async answer(request: ForwarderRequest): Promise<ForwarderAnswer> {
    try {
      if (request.operation === "publish") await this.#publish(request.binding, request.target);
      else if (request.operation === "lead") await this.#lead(request.binding, request.target);
      else if (request.operation === "withdraw") await this.#withdraw(portKey(request.binding));
      else await this.#retain(request.bindings);
      return {};
    } catch (error) {
      const code = error instanceof SyscallError ? { errno: error.errno, call: error.syscall } : {};
      return { failure: { message: errorMessage(error), ...code } };
    }
  }

  async #publish(binding: PortBinding, target: PortTarget | undefined): Promise<void> {
    const key = portKey(binding);
    if (this.#ports.has(key)) throw new SyscallError(constants.errno.EADDRINUSE, "bind", key);
    const { protocol, hostIP, hostPort } = binding;
    if (protocol === "sctp") throw new Unsupported("SCTP ports cannot be forwarded");
    const { fd } = bindSocket({ protocol, address: hostIP, port: hostPort });
    this.#ports.set(key, binding);
    const family = hostIP.includes(":") ? 6 : 4;
    await this.#tell({ operation: "listen", key, protocol, family, fd: fd.release(), target });
  }

  async #lead(binding: PortBinding, target: PortTarget | undefined): Promise<void> {
    const key = portKey(binding);
    if (this.#ports.has(key)) await this.#tell({ operation: "lead", key, target });
    else await this.#publish(binding, target);
  }

  async #withdraw(key: string): Promise<void> {
    if (this.#ports.delete(key)) await this.#tell({ operation: "close", key });
  }

  async #retain(bindings: readonly PortBinding[]): Promise<void> {
    const kept = new Set(bindings.map(portKey));
    for (const key of [...this.#ports.keys()]) if (!kept.has(key)) await this.#withdraw(key);
  }

  /** Resolves when it is done: a port that was just closed can be bound again then. */
  #tell(command: ForwarderCommand): Promise<ForwarderReply> {
    return new Promise((resolve) => {
      this.#replies.push(resolve);
      this.#worker.postMessage(command, []);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#retain([]);
    await this.#worker.terminate();
  }
}
