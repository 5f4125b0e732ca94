import { errorMessage, sleep } from "@boxship/base";
import { type ConnectLog, type LogConnection, LogForwarder } from "@boxship/runtime";
import type { ContainerRecord } from "../container/record.ts";
import type { EngineContext } from "../context.ts";
import { logPathOf } from "./log-path.ts";
import { isShipping, planLog } from "./log-plan.ts";
import { logTarget } from "./log-target.ts";

interface Forwarding {
  readonly forwarder: LogForwarder;
  /** Says that nothing more will be written. */
  readonly end: () => void;
}

/** How long the rest of a container's log is waited for before its files go. */
const LAST_CALL_MS = 5000;
/** How long a new run's log waits for the last one's. */
const HAND_OVER_MS = 100;

/** The logs of containers that are on their way to log servers, from the start of a container until all was sent. */
export class LogForwarding implements AsyncDisposable {
  readonly #running = new Map<string, Forwarding>();

  /**
   * Begins where the last run's left off, or an engine before. Nothing for containers whose logs stay here.
   *
   * @param first a connection that stands already
   */
  async begin(context: EngineContext, record: ContainerRecord, first?: LogConnection): Promise<void> {
    const { id, name, hostConfig } = record;
    const { driver, maxBacklog } = planLog(hostConfig.logConfig, context.options.log);
    if (!isShipping(driver)) return;
    const connect = startingWith(first, await logTarget(context, record, driver));
    const before = this.#running.get(id);
    if (before !== undefined) {
      before.end();
      await Promise.race([before.forwarder.done, sleep(context.clock, HAND_OVER_MS)]);
      await before.forwarder[Symbol.asyncDispose]();
    }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const forwarder = new LogForwarder({
      path: logPathOf(context, id),
      positionPath: `${context.containers.directoryOf(id)}/log-position`,
      ended,
      connect,
      ...(maxBacklog === undefined ? {} : { maxBacklog }),
      subject: { container: name, driver },
      clock: context.clock,
      logger: context.logger,
    });
    const forwarding = { forwarder, end };
    this.#running.set(id, forwarding);
    void forwarder.done.then(() => {
      if (this.#running.get(id) === forwarding) this.#running.delete(id);
    });
  }

  /** The container has ended: what is left is sent, and then it is over. */
  end(id: string): void {
    this.#running.get(id)?.end();
  }

  /** Sends what an engine before has left of a container that does not run. */
  async finish(context: EngineContext, record: ContainerRecord): Promise<void> {
    try {
      await this.begin(context, record);
      this.end(record.id);
    } catch (error) {
      context.logger.warn("log cannot be forwarded", { container: record.name, error: errorMessage(error) });
    }
  }

  /** Whether a file of a container's log is still to be sent. */
  needs(id: string, identity: string): boolean {
    return this.#running.get(id)?.forwarder.needs(identity) ?? false;
  }

  /** Before the log's files go: waits a little for what is left. */
  async drain(context: EngineContext, record: ContainerRecord): Promise<void> {
    const forwarding = this.#running.get(record.id);
    if (forwarding === undefined) return;
    forwarding.end();
    const late = await Promise.race([
      forwarding.forwarder.done.then(() => false),
      sleep(context.clock, LAST_CALL_MS).then(() => true),
    ]);
    if (late)
      context.logger.warn("the rest of a removed container's log was not forwarded", { container: record.name });
    await forwarding.forwarder[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ forwarder }) => forwarder[Symbol.asyncDispose]()));
  }
}

function startingWith(first: LogConnection | undefined, connect: ConnectLog): ConnectLog {
  let unused = first;
  return async (signal) => {
    const connection = unused;
    unused = undefined;
    return connection?.open === true ? connection : await connect(signal);
  };
}
