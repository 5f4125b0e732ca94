import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { frame, type Init, type ValueOf } from "@boxship/grpc";
import { endTransferWorkers } from "./files/transfer.ts";
import { type RawClient, rawClient } from "./testing/raw-client.ts";
import { RecordingSolver, startTestDoor, type TestDoor } from "./testing/test-door.ts";
import { Control } from "./wire/control.ts";
import { Packet, PacketType, type Stat } from "./wire/fsutil.ts";

type Entry = Init<ValueOf<typeof Stat>>;

/** Whether bytes happen to be a history that is followed, or a build that its client drives. */
function isAnsweredLater(path: string, bytes: Buffer): boolean {
  try {
    if (path === Control.solve.path) {
      const { frontend, definition } = Control.solve.request.decode(bytes);
      return frontend === "" && definition === undefined;
    }
    return path === Control.listenBuildHistory.path && Boolean(Control.listenBuildHistory.request.decode(bytes));
  } catch {
    return false;
  }
}

/** Sessions at once that say nothing. */
const SILENT = 18;

const FILE = Buffer.from("FROM scratch\nCOPY . /\n");

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Types of frames (RFC 9113, section 6). */
const H2 = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
/** `POST http` on a method, as HPACK writes it (RFC 7541). */
const CALL = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  hpackField(1, "localhost"),
  hpackField(4, "/grpc.health.v1.Health/Check"),
  hpackField(31, "application/grpc"),
]);
const SMALL_FIELD = Buffer.from([0x00, 1, 0x61, 1, 0x62]);
/** With a new name, into the table of names. */
const LARGE_FIELD = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xad, 0x1a]), Buffer.alloc(127 + 0xd2d, 0x62)]);

/** A literal that goes into no table, whose name has a number of at most 15 + 127. */
function hpackField(name: number, value: string): Buffer {
  const index = name < 15 ? [name] : [15, name - 15];
  return Buffer.from([...index, value.length, ...Buffer.from(value)]);
}

function h2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.set([type, flags], 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function frameTypes(bytes: Buffer): readonly number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes[at + 3] ?? 0);
  return types;
}

function many(count: number, make: (index: number) => readonly Buffer[]): readonly Buffer[] {
  return Array.from({ length: count }, (_, index) => make(index)).flat();
}

after(() => endTransferWorkers());

describe("what clients must not be able to do to the builder", () => {
  let door: TestDoor;
  const solver = new RecordingSolver();

  before(async () => {
    door = await startTestDoor(solver);
  });
  after(() => door[Symbol.asyncDispose]());

  const answer = (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  };
  const packet = (value: Init<ValueOf<typeof Packet>>) => frame(Packet.encode(value));

  /** Serves one list of files; contents are a few bytes. */
  function list(stream: ServerHttp2Stream, entries: Iterable<Entry>): void {
    answer(stream);
    let id = -1;
    for (const stat of entries) {
      id++;
      stream.write(packet({ type: PacketType.stat, stat }));
    }
    stream.write(packet({ type: PacketType.stat }));
    let pending = Buffer.alloc(0);
    stream.on("data", (piece: Buffer) => {
      pending = Buffer.concat([pending, piece]);
      while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
        const { type, id: wanted } = Packet.decode(pending.subarray(5, 5 + pending.readUInt32BE(1)));
        pending = pending.subarray(5 + pending.readUInt32BE(1));
        if (type === PacketType.request) {
          stream.write(packet({ type: PacketType.data, id: wanted, data: FILE }));
          stream.write(packet({ type: PacketType.data, id: wanted }));
        }
        if (type === PacketType.finish) stream.end(packet({ type: PacketType.finish }));
      }
    });
  }

  /** A build whose session answers so: the Containerfile first, then the ignore file, then the context. */
  async function build(client: RawClient, serve: (stream: ServerHttp2Stream, call: number) => void, end?: AbortSignal) {
    const id = randomBytes(8).toString("hex");
    let calls = 0;
    await client.session(id, (stream, path) => {
      if (path.endsWith("DiffCopy")) serve(stream, calls++);
    });
    const grpc = await client.grpc();
    return grpc.unary(
      Control.solve,
      { ref: id, session: id, frontend: "dockerfile.v0", exporters: [] },
      { ...(end === undefined ? {} : { signal: end }) },
    );
  }
  const containerfile = (stream: ServerHttp2Stream) =>
    list(stream, [{ path: "Dockerfile", mode: 0o644, size: FILE.length }]);
  /** The first calls are as they should be; the context's is the attack. */
  const context = (attack: (stream: ServerHttp2Stream) => void) => (stream: ServerHttp2Stream, call: number) => {
    if (call === 0) containerfile(stream);
    else if (call === 1) list(stream, []);
    else attack(stream);
  };

  async function works(): Promise<void> {
    using client = rawClient(door.socketPath);
    await build(
      client,
      context((stream) => list(stream, [{ path: "fine", mode: 0o644, size: FILE.length }])),
    );
    assert.equal(solver.builds.at(-1)?.files["fine"], FILE.toString());
    // A copy is free again once the end of the attack before has been noticed, which may be a moment later.
    for (const slot of readdirSync(join(door.directory, "buildkit/contexts")))
      assert.match(slot, /^[0-9a-f]{24}\.\d+$/);
  }

  const file = (path: string, more: Entry = {}): Entry => ({ path, mode: 0o644, size: FILE.length, ...more });
  const DIRECTORY = 0x8000_01ed;
  const LINK = (1 << 27) | 0o777;
  const lists: Readonly<Record<string, { readonly entries: readonly Entry[]; readonly error?: RegExp }>> = {
    "a path above": { entries: [file("../escape")], error: /not acceptable/ },
    "a path above, further down": {
      entries: [{ path: "d", mode: DIRECTORY }, file("d/../../escape")],
      error: /not acceptable/,
    },
    "an absolute path": { entries: [file("/etc/boxship-attack")], error: /not acceptable/ },
    "a zero byte": { entries: [file("a\0b")], error: /not acceptable/ },
    "a name of 5,000 bytes": {
      entries: [file("n".repeat(5000))],
      error: /"n{200}…" cannot be made here: ENAMETOOLONG/,
    },
    "a path of 6,000 bytes": {
      entries: Array.from({ length: 60 }, (_, index) => ({
        path: Array.from({ length: index + 1 }, () => "d".repeat(99)).join("/"),
        mode: DIRECTORY,
      })),
      error: /"[d/]{200}…" cannot be made here: ENAMETOOLONG/,
    },
    "a file below a link": {
      entries: [{ path: "out", mode: LINK, linkname: "/tmp" }, file("out/boxship-attack")],
      error: /not acceptable/,
    },
    "links in a circle": {
      entries: [
        { path: "a", mode: LINK, linkname: "b" },
        { path: "b", mode: LINK, linkname: "a" },
        { path: "c", mode: LINK, linkname: "c/c" },
      ],
    },
    "a link to a zero byte": { entries: [{ path: "a", mode: LINK, linkname: "x\0y" }], error: /zero byte/ },
    "a link to 5,000 bytes": {
      entries: [{ path: "a", mode: LINK, linkname: "x".repeat(5000) }],
      error: /"a" cannot be made here: ENAMETOOLONG/,
    },
    "a link to nothing": { entries: [{ path: "a", mode: LINK, linkname: "" }], error: /"a" cannot be made/ },
    "a hard link to what is not there": { entries: [file("a", { linkname: "b" })], error: /not listed/ },
    "a hard link to a directory": {
      entries: [{ path: "d", mode: DIRECTORY }, file("e", { linkname: "d" })],
      error: /the client's files cannot be made here: EPERM/,
    },
    "a hard link to itself": { entries: [file("a", { linkname: "a" })], error: /not listed/ },
    "a device that is none": {
      entries: [{ path: "a", mode: (1 << 26) | 0o644, devMajor: 2 ** 40, devMinor: -1 }],
      error: /"a" is a device with numbers/,
    },
    "a time without end": { entries: [file("a", { modTime: 2n ** 63n - 1n })] },
    "an attribute with a name of 5,000 bytes": {
      entries: [file("a", { xattrs: { [`user.${"x".repeat(5000)}`]: Buffer.from("x") } })],
      error: /"a" cannot be made/,
    },
    "an attribute of 1 MB": {
      entries: [file("a", { xattrs: { "user.x": Buffer.alloc(1 << 20) } })],
      error: /"a" cannot be made/,
    },
    "an attribute with a zero byte": {
      entries: [file("a", { xattrs: { "user.\0x": Buffer.from("x") } })],
      error: /"a" cannot be made/,
    },
    "a directory of all kinds": { entries: [{ path: "a", mode: 0xffff_ffff }, file("a/b")] },
  };

  for (const [name, { entries, error }] of Object.entries(lists)) {
    test(`${name} is taken or refused by name`, async () => {
      using client = rawClient(door.socketPath);
      const built = build(
        client,
        context((stream) => list(stream, entries)),
      );
      if (error === undefined) await built;
      else
        await assert.rejects(built, (failure: Error) => {
          assert.match(failure.message, error);
          return true;
        });
      assert.ok(!existsSync("/etc/boxship-attack") && !existsSync("/tmp/boxship-attack"));
      await works();
    });
  }

  const streams: Readonly<
    Record<string, { readonly attack: (stream: ServerHttp2Stream) => void; readonly error: RegExp }>
  > = {
    "bytes that are no message": {
      attack: (stream) => {
        answer(stream);
        stream.write(frame(Buffer.from("0aff", "hex")));
      },
      error: /malformed Packet/,
    },
    "a message of 4 GB": {
      attack: (stream) => {
        answer(stream);
        stream.write(Buffer.from("00ffffffff", "hex"));
      },
      error: /larger than/,
    },
    "a compressed message": {
      attack: (stream) => {
        answer(stream);
        stream.write(Buffer.from("0100000001ff", "hex"));
      },
      error: /compressed/,
    },
    "a packet that there is not": {
      attack: (stream) => {
        answer(stream);
        stream.write(packet({ type: 77 }));
      },
      error: /packet of kind 77/,
    },
    "data that nobody asked for": {
      attack: (stream) => {
        answer(stream);
        stream.write(packet({ type: PacketType.data, id: 5, data: FILE }));
      },
      error: /not asked for/,
    },
    "an answer that is none": {
      attack: (stream) => stream.respond({ ":status": 404 }, { endStream: true }),
      error: /404/,
    },
    "a stream that is reset": { attack: (stream) => stream.close(2), error: /cut|closed|reset|ended/i },
    "a connection that is cut": { attack: (stream) => stream.session?.destroy(), error: /cut|ended|gone/ },
  };
  for (const [name, { attack, error }] of Object.entries(streams)) {
    for (const call of [0, 2]) {
      test(`${name}, for the ${call === 0 ? "Containerfile" : "context"}`, async () => {
        using client = rawClient(door.socketPath);
        const built = build(client, call === 0 ? attack : context(attack));
        await assert.rejects(built, error);
        await works();
      });
    }
  }

  test("a session that never answers holds its own build, until the client gives it up", async () => {
    for (const call of [0, 2]) {
      using client = rawClient(door.socketPath);
      const controller = new AbortController();
      const silent = () => controller.abort();
      const built = build(client, call === 0 ? silent : context(silent), controller.signal);
      await assert.rejects(built, { name: "AbortError" });
      await works();
    }
  });

  test("many sessions that never answer hold nobody else's build", async () => {
    using client = rawClient(door.socketPath);
    const controller = new AbortController();
    const builds: Promise<unknown>[] = [];
    let silent = 0;
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const hold = context(() => {
      if (++silent === SILENT) resolve();
    });
    for (let index = 0; index < SILENT; index++) builds.push(build(client, hold, controller.signal));
    const ended = Promise.allSettled(builds);
    await Promise.race([all, ended]);
    assert.equal(silent, SILENT);
    await works();
    controller.abort();
    await ended;
    await works();
  });

  test("more files than were asked for are no Containerfile", async () => {
    using client = rawClient(door.socketPath);
    const endless = (stream: ServerHttp2Stream) => {
      answer(stream);
      let id = 0;
      const more = () => {
        while (stream.write(packet({ type: PacketType.stat, stat: file(`f${id++}`) })) && id < 10_000_000);
      };
      stream.on("drain", more);
      more();
    };
    await assert.rejects(build(client, endless), /more files than/);
    await works();
  });

  test("a file that is larger than it said is refused", async () => {
    using client = rawClient(door.socketPath);
    const endless = (stream: ServerHttp2Stream) => {
      answer(stream);
      stream.write(packet({ type: PacketType.stat, stat: file("a", { size: 5 }) }));
      stream.write(packet({ type: PacketType.stat }));
      const more = () => {
        while (stream.write(packet({ type: PacketType.data, id: 0, data: Buffer.alloc(32768) })));
      };
      stream.once("data", more);
      stream.on("drain", more);
    };
    await assert.rejects(build(client, context(endless)), /"a" is larger than/);
    await works();
  });

  test("connections that speak something else end; nobody else notices", async () => {
    using client = rawClient(door.socketPath);
    for (const path of ["/grpc", "/session"] as const) {
      for (const bytes of [
        randomBytes(100_000),
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        Buffer.alloc(10),
        Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxx"),
      ]) {
        const socket = await client.raw(path, { "X-Docker-Expose-Session-Uuid": randomBytes(4).toString("hex") });
        const closed = once(socket, "close");
        socket.resume();
        socket.end(bytes);
        await closed;
      }
    }
    await works();
  });

  test("calls that are nonsense are answered as such", async () => {
    using client = rawClient(door.socketPath);
    const grpc = await client.grpc();
    const raw = { decode: (bytes: Uint8Array) => bytes, encode: (bytes: Uint8Array) => bytes };
    for (const { path } of Object.values(Control)) {
      for (const size of [1, 10, 1000]) {
        const method = { path, request: raw, response: raw } as never;
        const bytes = randomBytes(size);
        const later = isAnsweredLater(path, bytes);
        // An answer or an error; not silence.
        await grpc.unary(method, bytes as never, { timeout: later ? 1000 : 20_000 }).then(
          () => {},
          (error: unknown) => {
            const answered = error instanceof Error && (later || error.name !== "DeadlineExceeded");
            assert.ok(answered, `${path} of ${bytes.toString("hex")}: ${String(error)}`);
          },
        );
      }
    }
    for (const request of [
      { frontend: "gateway.v0" },
      { frontend: "dockerfile.v0", frontendAttributes: { ["k".repeat(100_000)]: "v" } },
      { frontend: "dockerfile.v0", frontendAttributes: { "shm-size": "-1", "add-hosts": "\0" } },
      { frontend: "", definition: { operations: [randomBytes(30)] } },
      { ref: "../../../tmp/boxship-attack", frontend: "dockerfile.v0" },
      { exporters: [{ type: "local", attributes: { dest: "/etc" } }], frontend: "dockerfile.v0" },
    ])
      await assert.rejects(
        grpc.unary(Control.solve, request, { timeout: 20_000 }),
        (error: Error) => error.name !== "DeadlineExceeded",
      );
    await works();
  });

  test("frames that are written by hand are a call", async () => {
    using client = rawClient(door.socketPath);
    const socket = await client.raw("/grpc");
    const settings = h2Frame(H2.settings, 0, 0, Buffer.alloc(0));
    socket.write(Buffer.concat([PREFACE, settings, h2Frame(H2.headers, END_HEADERS | END_STREAM, 1, CALL)]));
    let received = Buffer.alloc(0);
    for await (const piece of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, piece]);
      const types = frameTypes(received);
      assert.ok(!types.includes(7), "the connection is given up");
      if (types.includes(H2.headers)) break;
    }
  });

  const floods: Readonly<Record<string, () => readonly Buffer[]>> = {
    "streams that are reset at once": () =>
      many(20_000, (index) => [
        h2Frame(H2.headers, END_HEADERS, 2 * index + 1, CALL),
        h2Frame(H2.reset, 0, 2 * index + 1, Buffer.from([0, 0, 0, 8])),
      ]),
    "streams that are never ended": () =>
      many(20_000, (index) => [h2Frame(H2.headers, END_HEADERS, 2 * index + 1, CALL)]),
    "a head that goes on and on": () => [
      h2Frame(H2.headers, 0, 1, CALL),
      ...many(2000, () => [h2Frame(H2.continuation, 0, 1, Buffer.concat(Array<Buffer>(500).fill(SMALL_FIELD)))]),
    ],
    "a head that goes on with nothing": () => [
      h2Frame(H2.headers, 0, 1, CALL),
      ...many(200_000, () => [h2Frame(H2.continuation, 0, 1, Buffer.alloc(0))]),
    ],
    "a small head of many large fields": () =>
      many(50, (index) => [
        // One field of 3,500 bytes goes into the table; then a byte names it, again and again.
        h2Frame(
          H2.headers,
          END_HEADERS | END_STREAM,
          2 * index + 1,
          Buffer.concat([CALL, LARGE_FIELD, Buffer.alloc(12_000, 0xbe)]),
        ),
      ]),
    "pings whose answers nobody reads": () => many(300_000, () => [h2Frame(H2.ping, 0, 0, Buffer.alloc(8))]),
    "settings whose answers nobody reads": () => many(300_000, () => [h2Frame(H2.settings, 0, 0, Buffer.alloc(0))]),
    "data of no bytes": () => [
      h2Frame(H2.headers, END_HEADERS, 1, CALL),
      ...many(200_000, () => [h2Frame(H2.data, 0, 1, Buffer.alloc(0))]),
    ],
  };
  for (const [name, frames] of Object.entries(floods)) {
    test(`${name}: memory is bounded, and others are served`, async (t) => {
      using client = rawClient(door.socketPath);
      const bytes = Buffer.concat([PREFACE, h2Frame(H2.settings, 0, 0, Buffer.alloc(0)), ...frames()]);
      const atFirst = process.memoryUsage().rss;
      const socket = await client.raw("/grpc");
      socket.pause();
      const began = performance.now();
      // Either all of it is taken, or the connection is ended.
      const taken = new Promise<string>((resolve) => {
        socket.write(bytes, (error) => resolve(error === undefined || error === null ? "taken" : "cut"));
        socket.once("close", () => resolve("cut"));
      });
      await works();
      const how = await taken;
      await works();
      const grown = (process.memoryUsage().rss - atFirst) / 1e6;
      t.diagnostic(`${how} after ${Math.round(performance.now() - began)} ms, ${Math.round(grown)} MB`);
      assert.ok(grown < 200, `${grown} MB`);
    });
  }
});
