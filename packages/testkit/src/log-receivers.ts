import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync, inflateSync } from "node:zlib";
import { decodeMulti, ExtensionCodec, encode } from "@msgpack/msgpack";
import { startProgram, waitUntilReady } from "./process.ts";
import { repositoryRoot, runProgram } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

/** What a log server has received so far. */
export interface LogReceiver<Entry> extends AsyncDisposable {
  readonly entries: readonly Entry[];
  /** Resolves when so many are there. @throws Error after ten seconds */
  atLeast(count: number): Promise<readonly Entry[]>;
}

async function untilThere<Entry>(entries: () => Promise<readonly Entry[]>, count: number): Promise<readonly Entry[]> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const there = await entries();
    if (there.length >= count) return there;
    if (performance.now() > deadline) throw new Error(`${there.length} of ${count} log entries came: ${show(there)}`);
    await delay(10);
  }
}

const show = (value: unknown): string => JSON.stringify(value).slice(-1000);

// ── syslog ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A message as rsyslogd has parsed it. */
export interface SyslogEntry {
  readonly facility: string;
  readonly severity: string;
  readonly host: string;
  /** RFC 3339. */
  readonly time: string;
  readonly tag: string;
  readonly app: string;
  readonly process: string;
  readonly id: string;
  readonly message: string;
}

export interface SyslogServer extends LogReceiver<SyslogEntry> {
  /** Listens on UDP and TCP alike. */
  readonly port: number;
  /** Datagrams. */
  readonly socketPath: string;
  /** Everything received so far. */
  read(): Promise<readonly SyslogEntry[]>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

const RSYSLOG_FIELDS: Readonly<Record<keyof SyslogEntry, string>> = {
  facility: "syslogfacility-text",
  severity: "syslogseverity-text",
  host: "hostname",
  time: "timereported",
  tag: "syslogtag",
  app: "app-name",
  process: "procid",
  id: "msgid",
  message: "msg",
};

/** A real rsyslogd on a loopback port and a unix socket. */
export async function startSyslogServer(): Promise<SyslogServer> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("syslog"));
  const port = await freePort();
  const [socketPath, output, log] = [directory.join("socket"), directory.join("received"), directory.join("log")];
  const root = resolve(repositoryRoot, ".cache/parts/root");
  const program = [`${root}/usr/sbin/rsyslogd`, "/usr/sbin/rsyslogd"].find((path) => existsSync(path));
  if (program === undefined) throw new Error("rsyslogd is missing: run scripts/setup.sh test");
  const fields = Object.entries(RSYSLOG_FIELDS).map(([name, property]) => {
    const date = name === "time" ? ' dateFormat="rfc3339"' : "";
    return `  property(name="${property}" outname="${name}" format="jsonf"${date})`;
  });
  await writeFile(
    directory.join("conf"),
    `global(workDirectory="${directory.path}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" port="${port}" address="127.0.0.1")
input(type="imtcp" port="${port}" address="127.0.0.1")
input(type="imuxsock" socket="${socketPath}")
template(name="fields" type="list" option.jsonf="on") {
${fields.join("\n")}
}
*.* action(type="omfile" file="${output}" template="fields" flushOnTXEnd="on" asyncWriting="off")
`,
  );
  const library = `${root}/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const command = [
    program,
    "-n",
    "-i",
    directory.join("pid"),
    "-f",
    directory.join("conf"),
    "-M",
    `${library}/rsyslog`,
  ];
  const start = () => startProgram(command, { log, env: { LD_LIBRARY_PATH: library } });
  let running: Awaited<ReturnType<typeof start>> | undefined;
  stack.defer(async () => running?.[Symbol.asyncDispose]());
  const started = async (): Promise<void> => {
    running = await start();
    const deadline = performance.now() + 10_000;
    while (!existsSync(socketPath)) {
      if (running.status !== undefined || performance.now() > deadline) {
        throw new Error(`rsyslogd does not start: ${await readFile(log, "utf8")}`);
      }
      await delay(10);
    }
  };
  await started();
  const read = async (): Promise<readonly SyslogEntry[]> => {
    const text = existsSync(output) ? await readFile(output, "utf8") : "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return whole.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as SyslogEntry]));
  };
  const owned = stack.move();
  return {
    port,
    socketPath,
    entries: [],
    read,
    atLeast: (count) => untilThere(read, count),
    stop: async () => {
      await running?.[Symbol.asyncDispose]();
    },
    start: started,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  await new Promise((done) => server.close(done));
  return port;
}

/** @param where a port of the loopback interface, 0 for any free one, or a path */
async function listen(server: Server, where: number | string): Promise<number> {
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    if (typeof where === "string") server.listen(where, done);
    else server.listen(where, "127.0.0.1", done);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

// ── fluentd ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface FluentdEntry {
  readonly tag: string;
  /** Nanoseconds since the epoch; whole seconds when the sender says no more. */
  readonly time: bigint;
  readonly precise: boolean;
  readonly record: Readonly<Record<string, string>>;
  readonly option: Readonly<Record<string, string>>;
}

export interface FluentdServer extends LogReceiver<FluentdEntry> {
  readonly port: number;
  readonly socketPath: string;
  /** Cuts every connection. */
  cut(): void;
}

interface EventTime {
  readonly nanoseconds: bigint;
}

/** A server of the forward protocol on somebody else's MessagePack codec. */
export async function startFluentdServer(
  options: {
    /** @default any free one */
    readonly port?: number;
    /** Called before an acknowledgement; false keeps it back. */
    readonly acknowledge?: (entry: FluentdEntry) => boolean;
  } = {},
): Promise<FluentdServer> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("fluentd"));
  const socketPath = directory.join("socket");
  const entries: FluentdEntry[] = [];
  const sockets = new Set<Socket>();
  const extensionCodec = new ExtensionCodec();
  extensionCodec.register({
    type: 0,
    encode: () => null,
    decode: (bytes): EventTime => {
      const view = Buffer.from(bytes);
      return { nanoseconds: BigInt(view.readUInt32BE(0)) * 1_000_000_000n + BigInt(view.readUInt32BE(4)) };
    },
  });
  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let data: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      data = Buffer.concat([data, chunk]);
      const whole = wholeMessages(data, extensionCodec);
      data = data.subarray(whole.used);
      for (const entry of whole.entries) {
        entries.push(entry);
        const chunkId = entry.option["chunk"];
        if (chunkId !== undefined && options.acknowledge?.(entry) !== false) socket.write(encode({ ack: chunkId }));
      }
    });
  };
  const [tcp, unix] = [createServer(onConnection), createServer(onConnection)];
  const port = await listen(tcp, options.port ?? 0);
  await listen(unix, socketPath);
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  stack.defer(async () => {
    cut();
    await Promise.all([tcp, unix].map((server) => new Promise((done) => server.close(done))));
  });
  const owned = stack.move();
  return {
    port,
    socketPath,
    entries,
    cut,
    atLeast: (count) => untilThere(async () => entries, count),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type FluentdMessage = readonly [string, number | EventTime, Record<string, string>, Record<string, string> | null];

function wholeMessages(
  data: Buffer,
  extensionCodec: ExtensionCodec,
): { readonly entries: readonly FluentdEntry[]; readonly used: number } {
  const entries: FluentdEntry[] = [];
  let used = 0;
  try {
    for (const value of decodeMulti(data, { extensionCodec })) {
      const [tag, time, record, option] = value as FluentdMessage;
      const precise = typeof time === "object";
      const nanoseconds = precise ? time.nanoseconds : BigInt(time) * 1_000_000_000n;
      entries.push({ tag, time: nanoseconds, precise, record, option: option ?? {} });
      used = data.length;
    }
    return { entries, used };
  } catch (error) {
    // The last message is not whole yet: wait for the rest, and decode all of it again.
    if (error instanceof RangeError) return { entries: [], used: 0 };
    throw error;
  }
}

// ── GELF ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface GelfServer extends LogReceiver<Readonly<Record<string, unknown>>> {
  /** Of UDP and TCP alike. */
  readonly port: number;
  /** How many packets came over UDP. */
  readonly packets: number;
}

/** Takes GELF messages apart: chunks, compression, zero bytes. */
export async function startGelfServer(): Promise<GelfServer> {
  await using stack = new AsyncDisposableStack();
  const entries: Record<string, unknown>[] = [];
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (text + chunk).split("\0");
      text = parts.pop() ?? "";
      for (const part of parts) entries.push(JSON.parse(part) as Record<string, unknown>);
    });
  });
  const port = await listen(tcp, 0);
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => tcp.close(done));
  });
  const chunks = new Map<string, Map<number, Buffer>>();
  let packets = 0;
  const udp = createSocket("udp4", (packet) => {
    packets++;
    if (packet.readUInt16BE(0) !== 0x1e0f) {
      entries.push(unpack(packet));
      return;
    }
    const id = packet.toString("hex", 2, 10);
    const parts = chunks.get(id) ?? new Map<number, Buffer>();
    chunks.set(id, parts.set(packet[10] ?? 0, packet.subarray(12)));
    if (parts.size < (packet[11] ?? 0)) return;
    const ordered = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    entries.push(unpack(Buffer.concat(ordered)));
  });
  await new Promise<void>((done) => udp.bind(port, "127.0.0.1", done));
  stack.defer(() => new Promise((done) => udp.close(() => done())));
  const owned = stack.move();
  return {
    port,
    entries,
    get packets() {
      return packets;
    },
    atLeast: (count) => untilThere(async () => entries, count),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function unpack(data: Buffer): Record<string, unknown> {
  const [first, second] = data;
  const plain = first === 0x1f && second === 0x8b ? gunzipSync(data) : first === 0x78 ? inflateSync(data) : data;
  return JSON.parse(plain.toString()) as Record<string, unknown>;
}

// ── journald ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Journal extends AsyncDisposable {
  readonly socketPath: string;
  /** Entries with this field's value, the oldest first. Resolves when so many are there. */
  atLeast(count: number, field: string, value: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const JOURNALD = "/lib/systemd/systemd-journald";

/** A real journald that sees a `/run` and a `/var/log` of its own, or undefined where there is none. */
export async function startJournal(): Promise<Journal | undefined> {
  if (!existsSync(JOURNALD)) return undefined;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("journal"));
  const [log, name] = [directory.join("log"), "boxship"];
  const script = [
    "mount --make-rprivate /",
    "mount -t tmpfs tmpfs /run",
    "mount -t tmpfs tmpfs /var/log",
    "mkdir -p /var/log/journal /run/log/journal",
    `exec ${JOURNALD} ${name}`,
  ].join(" && ");
  const program = stack.use(await startProgram(["unshare", "--mount", "sh", "-c", script], { log }));
  const root = `/proc/${program.pid}/root`;
  const socketPath = `${root}/run/systemd/journal.${name}/socket`;
  const files = `${root}/var/log/journal`;
  await waitUntilReady(program, log, async () => existsSync(socketPath) && (await readdir(files)).length > 0);
  const read = async (field: string, value: string) => {
    const [folder = ""] = await readdir(files);
    const ran = await runProgram([
      "journalctl",
      "-D",
      `${files}/${folder}`,
      "-o",
      "json",
      "--all",
      `${field}=${value}`,
    ]);
    const lines = ran.stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const owned = stack.move();
  return {
    socketPath,
    atLeast: (count, field, value) => untilThere(() => read(field, value), count),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
