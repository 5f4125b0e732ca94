import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, FailedPrecondition, sleep, Unavailable } from "@boxship/base";
import { busPath, DbusConnection, type Fd } from "@boxship/kernel";

/** What delays shutdowns of the machine, by systemd-logind: `org.freedesktop.login1(5)`, "Inhibitor Locks". */
const MANAGER = {
  destination: "org.freedesktop.login1",
  path: "/org/freedesktop/login1",
  interface: "org.freedesktop.login1.Manager",
} as const;

const SYSTEMD = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

const PROPERTIES = "org.freedesktop.DBus.Properties";
const BUS = "org.freedesktop.DBus";
export const LOGIND_SETTINGS = "/etc/systemd/logind.conf.d";
const SIGHUP = 1;
/** logind reads its settings again some time after it is told to. */
const LOOKS_MS = [50, 100, 200, 400, 800, 1600];

export interface LogindOptions {
  /** Of the machine's bus, see `systemBusAddress`. */
  readonly address: string;
  readonly clock: Clock;
  /** Where administrators' settings of logind are. @default {@link LOGIND_SETTINGS} */
  readonly settings?: string;
  /** The machine is about to go down, or is not after all. */
  readonly prepare: (isGoing: boolean) => void;
}

/** A connection with logind. Disposing lets the machine go down. */
export class Logind implements Disposable {
  /** Resolves when the bus or logind is gone. */
  readonly over: Promise<void>;
  readonly #connection: DbusConnection;
  readonly #options: LogindOptions;
  #lock: Fd | undefined;

  private constructor(connection: DbusConnection, options: LogindOptions, left: Promise<void>) {
    this.#connection = connection;
    this.#options = options;
    this.over = Promise.race([connection.closed, left]);
  }

  /** @throws Unavailable where there is no bus, or no logind on it */
  static async open(options: LogindOptions): Promise<Logind> {
    const left = Promise.withResolvers<void>();
    const connection = await DbusConnection.open(busPath(options.address), {
      signal: ({ interface: name, member, path, body }) => {
        if (name === MANAGER.interface && member === "PrepareForShutdown" && path === MANAGER.path) {
          options.prepare(body[0] === true);
        }
        // Started again, it knows of no locks.
        if (name === BUS && member === "NameOwnerChanged" && body[0] === MANAGER.destination) left.resolve();
      },
    });
    try {
      const { path, interface: name } = MANAGER;
      await connection.match(
        `type='signal',sender='${MANAGER.destination}',path='${path}',interface='${name}',member='PrepareForShutdown'`,
      );
      const logind = new Logind(connection, options, left.promise);
      // Where it is started on demand, this asks for it; only its next going away is of interest.
      await logind.longestDelay();
      await connection.match(
        `type='signal',sender='${BUS}',interface='${BUS}',member='NameOwnerChanged',arg0='${MANAGER.destination}'`,
      );
      return logind;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** For how long it lets itself be delayed: seconds. */
  async longestDelay(): Promise<number> {
    const property = { ...MANAGER, interface: PROPERTIES, member: "Get" };
    const { body } = await this.#connection.call({
      ...property,
      signature: "ss",
      body: [MANAGER.interface, "InhibitDelayMaxUSec"],
    });
    const [variant] = body;
    if (typeof variant !== "object" || !("value" in variant) || typeof variant.value !== "bigint") {
      throw new Unavailable("logind does not tell how long it can be delayed");
    }
    return Number(variant.value / 1_000_000n);
  }

  /**
   * Lets itself be delayed for so long: by settings of ours, where those that are there say less.
   *
   * @throws FailedPrecondition where it stays at less
   */
  async allowDelay(seconds: number): Promise<void> {
    if ((await this.longestDelay()) >= seconds) return;
    const { clock, settings = LOGIND_SETTINGS } = this.#options;
    await mkdir(settings, { recursive: true, mode: 0o755 });
    const path = join(settings, "99-boxship.conf");
    await writeFile(path, `# Written by boxship up --shutdown-grace-period\n[Login]\nInhibitDelayMaxSec=${seconds}\n`);
    const kill = { ...SYSTEMD, member: "KillUnit", signature: "ssi" };
    await this.#connection.call({ ...kill, body: ["systemd-logind.service", "all", SIGHUP] });
    for (const milliseconds of LOOKS_MS) {
      if ((await this.longestDelay()) >= seconds) return;
      await sleep(clock, milliseconds);
    }
    throw new FailedPrecondition(
      `node shutdown manager was unable to update logind InhibitDelayMaxSec to ${seconds}s (ShutdownGracePeriod), current value of InhibitDelayMaxSec (${await this.longestDelay()}s) is less than requested ShutdownGracePeriod`,
      { remedy: `set InhibitDelayMaxSec=${seconds} in a file of ${settings}` },
    );
  }

  /** From now on, or anew, a shutdown waits until {@link release}. */
  async delay(): Promise<void> {
    const inhibit = { ...MANAGER, member: "Inhibit", signature: "ssss" };
    const body = ["shutdown", "boxship", "Pods need time to end", "delay"];
    const { descriptors } = await this.#connection.call({ ...inhibit, body });
    const [lock, ...more] = descriptors;
    for (const fd of more) fd.close();
    if (lock === undefined) throw new Unavailable("logind gave no lock");
    this.release();
    this.#lock = lock;
  }

  /** The machine need not wait any longer. */
  release(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
    this.#connection[Symbol.dispose]();
  }
}
