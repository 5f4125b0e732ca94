import {
  BoxshipError,
  DeadlineExceeded,
  FailedPrecondition,
  InvalidArgument,
  PermissionDenied,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import { receiveDescriptors } from "../descriptor-passing.ts";
import { type Watch, watchDescriptor } from "../event-loop.ts";
import type { Fd } from "../fd.ts";
import { write } from "../file-data.ts";
import { connectUnixSocket } from "../unix-socket.ts";
import {
  type DbusMessage,
  decodeMessage,
  encodeMessage,
  MessageType,
  messageLength,
  NO_REPLY_EXPECTED,
} from "./message.ts";
import type { DbusValue } from "./values.ts";

/** Who is asked for what. */
export interface DbusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Of the arguments. @default none */
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
}

export interface DbusReply {
  readonly body: readonly DbusValue[];
  /** What values of type `h` count; the receiver's to close. */
  readonly descriptors: readonly Fd[];
}

export interface DbusSignal {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly DbusValue[];
}

export interface DbusAnswer {
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
}

export interface DbusOptions {
  readonly signal?: (signal: DbusSignal) => void;
  /** Answers a call of somebody else's; undefined: there is no such method. @default there are none */
  readonly answer?: (call: DbusMessage) => DbusAnswer | undefined;
}

const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const ANSWER_MS = 25_000;
const CHUNK = 65536;

/** The machine's bus, as processes of systemd find it. */
export function systemBusAddress(env: NodeJS.ProcessEnv): string {
  return env["DBUS_SYSTEM_BUS_ADDRESS"] || "unix:path=/run/dbus/system_bus_socket";
}

/** @throws Unsupported for an address that is not a path of a unix socket */
export function busPath(address: string): string {
  for (const one of address.split(";")) {
    const [, pairs] = /^unix:(.*)$/.exec(one) ?? [];
    const path = pairs
      ?.split(",")
      .find((pair) => pair.startsWith("path="))
      ?.slice("path=".length);
    if (path !== undefined) return decodeURIComponent(path);
  }
  throw new Unsupported(`the bus at ${address} cannot be reached: only unix:path= can`);
}

/**
 * A client of a message bus, with passing of descriptors. Main thread only. It does not keep the process alive.
 *
 * Calls throw one of the closed set by the error's name, e.g. Unavailable where nobody has the name that is asked.
 */
export class DbusConnection implements Disposable {
  /** Resolves when the bus is gone, or the connection was disposed of. */
  readonly closed: Promise<void>;
  readonly #socket: Fd;
  readonly #watch: Watch;
  readonly #options: DbusOptions;
  readonly #over = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, PromiseWithResolvers<DbusReply>>();
  readonly #descriptors: Fd[] = [];
  #line: PromiseWithResolvers<string> | undefined;
  #received = Buffer.alloc(0);
  #unsent = Buffer.alloc(0);
  #serial = 0;
  #isOpen = true;

  private constructor(socket: Fd, options: DbusOptions) {
    this.#socket = socket;
    this.#options = options;
    this.closed = this.#over.promise;
    this.#watch = watchDescriptor(socket, { readable: true }, ({ writable }) =>
      this.#guard(() => this.#turn(writable)),
    );
    this.#watch.unref();
  }

  /** @param path of the bus's socket @throws Unavailable, PermissionDenied */
  static async open(path: string, options: DbusOptions = {}): Promise<DbusConnection> {
    const socket = await connectUnixSocket(path).catch((cause: unknown) => {
      throw new Unavailable(`no message bus answers at ${path}`, { cause, subject: { kind: "bus", name: path } });
    });
    const connection = new DbusConnection(socket, options);
    try {
      await connection.#authenticate();
      await connection.call({ ...BUS, member: "Hello" });
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** "Authentication Protocol": who we are is told by the socket. */
  async #authenticate(): Promise<void> {
    const uid = Buffer.from(String(process.geteuid?.() ?? 0)).toString("hex");
    const said = await this.#say(`\0AUTH EXTERNAL ${uid}\r\n`);
    if (!said.startsWith("OK ")) throw new PermissionDenied(`the message bus refuses us: ${said}`);
    const agreed = await this.#say("NEGOTIATE_UNIX_FD\r\n");
    if (agreed !== "AGREE_UNIX_FD") throw new Unsupported(`the message bus passes no descriptors: ${agreed}`);
    this.#send(Buffer.from("BEGIN\r\n"));
  }

  async #say(line: string): Promise<string> {
    this.#line = Promise.withResolvers();
    this.#send(Buffer.from(line));
    return await within(this.#line.promise, "the message bus");
  }

  /** @throws one of the closed set; a reply's descriptors are the caller's */
  async call(asked: DbusCall): Promise<DbusReply> {
    if (!this.#isOpen) throw this.#gone();
    const serial = ++this.#serial;
    const waiting = Promise.withResolvers<DbusReply>();
    this.#waiting.set(serial, waiting);
    try {
      this.#send(encodeMessage({ ...asked, type: MessageType.Call, flags: 0, serial, body: asked.body ?? [] }));
      return await within(waiting.promise, `${asked.destination} (${asked.member})`);
    } finally {
      this.#waiting.delete(serial);
    }
  }

  /** Lets signals come that a rule matches, e.g. `type='signal',interface='…'`. */
  async match(rule: string): Promise<void> {
    await this.call({ ...BUS, member: "AddMatch", signature: "s", body: [rule] });
  }

  /** Takes a well-known name. @throws FailedPrecondition where somebody else has it */
  async own(name: string): Promise<void> {
    const { body } = await this.call({ ...BUS, member: "RequestName", signature: "su", body: [name, 4] });
    if (body[0] !== 1) throw new FailedPrecondition(`somebody else is ${name}`);
  }

  emit(signal: Omit<DbusSignal, "sender"> & { readonly signature?: string }): void {
    this.#send(
      encodeMessage({ ...signal, type: MessageType.Signal, flags: NO_REPLY_EXPECTED, serial: ++this.#serial }),
    );
  }

  #send(bytes: Buffer): void {
    this.#unsent = Buffer.concat([this.#unsent, bytes]);
    this.#flush();
  }

  #flush(): void {
    this.#guard(() => {
      if (!this.#isOpen || this.#unsent.length === 0) return;
      this.#unsent = this.#unsent.subarray(write(this.#socket, this.#unsent) ?? 0);
      this.#watch.change({ readable: true, writable: this.#unsent.length > 0 });
    });
  }

  #turn(writable: boolean): void {
    if (writable) this.#flush();
    const message = receiveDescriptors(this.#socket, CHUNK);
    if (message === undefined) return;
    this.#descriptors.push(...message.descriptors);
    if (message.bytes.length === 0) {
      this[Symbol.dispose]();
      return;
    }
    this.#received = Buffer.concat([this.#received, message.bytes]);
    while (this.#isOpen && this.#takeOne());
  }

  /** @returns whether there was one */
  #takeOne(): boolean {
    if (this.#line !== undefined) {
      const end = this.#received.indexOf("\r\n");
      if (end === -1) return false;
      const line = this.#line;
      this.#line = undefined;
      line.resolve(this.#received.toString("utf8", 0, end));
      this.#received = this.#received.subarray(end + 2);
      return true;
    }
    const length = messageLength(this.#received);
    if (length === undefined || length > this.#received.length) return false;
    const message = decodeMessage(this.#received.subarray(0, length));
    this.#received = this.#received.subarray(length);
    this.#take(message, this.#descriptors.splice(0, message.descriptorCount ?? 0));
    return true;
  }

  #take(message: DbusMessage, descriptors: readonly Fd[]): void {
    const { type, sender = "", path = "", interface: name = "", member = "", body } = message;
    const waiting = this.#waiting.get(message.replySerial ?? 0);
    if (type === MessageType.Return && waiting !== undefined) {
      waiting.resolve({ body, descriptors });
      return;
    }
    for (const fd of descriptors) fd.close();
    if (type === MessageType.Error) waiting?.reject(errorOf(message));
    else if (type === MessageType.Signal) this.#options.signal?.({ sender, path, interface: name, member, body });
    else if (type === MessageType.Call) this.#answer(message);
  }

  #answer(call: DbusMessage): void {
    const { sender = "", serial, flags } = call;
    const answer = this.#options.answer?.(call);
    if ((flags & NO_REPLY_EXPECTED) !== 0) return;
    const reply = { flags: NO_REPLY_EXPECTED, serial: ++this.#serial, replySerial: serial, destination: sender };
    const text = `${call.interface}.${call.member} is not known here`;
    const refusal = { errorName: "org.freedesktop.DBus.Error.UnknownMethod", signature: "s", body: [text] };
    this.#send(
      encodeMessage(
        answer === undefined
          ? { ...reply, ...refusal, type: MessageType.Error }
          : { ...reply, type: MessageType.Return, signature: answer.signature ?? "", body: answer.body ?? [] },
      ),
    );
  }

  /** Whatever goes wrong on the wire is the connection's end. */
  #guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#close(error instanceof BoxshipError ? error : undefined);
    }
  }

  #gone(): Unavailable {
    return new Unavailable("the connection to the message bus is over");
  }

  #close(why: BoxshipError = this.#gone()): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch[Symbol.dispose]();
    this.#socket.close();
    for (const fd of this.#descriptors) fd.close();
    for (const waiting of this.#waiting.values()) waiting.reject(why);
    this.#line?.reject(why);
    this.#over.resolve();
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

async function within<Value>(answer: Promise<Value>, who: string): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new DeadlineExceeded(`${who} does not answer`)), ANSWER_MS);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function errorOf({ errorName = "", body }: DbusMessage): BoxshipError {
  const text = typeof body[0] === "string" ? body[0] : errorName;
  switch (errorName.replace(/^org\.freedesktop\.DBus\.Error\./, "")) {
    case "ServiceUnknown":
    case "NameHasNoOwner":
    case "NoReply":
    case "Disconnected":
      return new Unavailable(text);
    case "AccessDenied":
    case "AuthFailed":
    case "InteractiveAuthorizationRequired":
      return new PermissionDenied(text);
    case "UnknownMethod":
    case "UnknownObject":
    case "UnknownInterface":
    case "NotSupported":
      return new Unsupported(text);
    case "InvalidArgs":
      return new InvalidArgument(text);
    default:
      return new FailedPrecondition(text);
  }
}
