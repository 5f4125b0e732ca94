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

const FILE = Buffer.from("FROM scratch\nCOPY . /\n");

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
      assert.match(slot, /^[0-9a-f]{24}\.[01]$/);
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
        // An answer or an error; not silence.
        await grpc.unary(method, randomBytes(size) as never, { timeout: 20_000 }).then(
          () => {},
          (error: unknown) =>
            assert.ok(error instanceof Error && error.name !== "DeadlineExceeded", `${path}: ${String(error)}`),
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
});
